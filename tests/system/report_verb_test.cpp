// `guardbit report` as a user runs it, and the command that a result says it was made by.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/run_guardbit.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

using testing::HasSubstr;

std::string timing(const std::string& options) {
  return "replay " + included_trace() + " -a " + shipped_accelerator("edge") + " --no-values --windows 1 " + options;
}

TEST(ReportVerbTest, MakesOnePageOfAReplaysDirectory) {
  const TemporaryDirectory directory;
  const std::string out = (directory / "edge").string();
  ASSERT_EQ(run_guardbit(timing("--variants none,rrs -q -o " + out)).status, 0);
  const CommandResult made = run_guardbit("report " + out + " -o " + (directory / "edge.html").string());
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(made.out, "");
  EXPECT_THAT(made.err, HasSubstr("edge.html"));
  const std::string page = content_of(directory / "edge.html");
  EXPECT_THAT(page, HasSubstr("<h1>kjv-gpt2 on edge</h1>"));
  EXPECT_LT(page.size(), 3'000'000u);
  const CommandResult again =
      run_guardbit("report -q " + out + "/result.json -o " + (directory / "again.html").string());
  EXPECT_EQ(again.err, "");
  EXPECT_EQ(content_of(directory / "again.html"), page);
}

TEST(ReportVerbTest, RefusesWhatIsNoResult) {
  const TemporaryDirectory directory;
  const std::string page = (directory / "page.html").string();
  const std::string bad = directory.write("bad.json", "{\"schema\": \"guardbit-replay/1\", \"trace\": 3}").string();
  const CommandResult malformed = run_guardbit("report " + bad + " -o " + page);
  EXPECT_EQ(malformed.status, 65);
  EXPECT_THAT(malformed.err, HasSubstr("bad.json:/trace: got 3; expected an object"));
  const CommandResult missing = run_guardbit("report " + page + " -o " + page);
  EXPECT_EQ(missing.status, 66);
  EXPECT_EQ(run_guardbit("report " + bad).status, 2) << "-o is needed";
  EXPECT_FALSE(std::filesystem::exists(page));

  const std::string good = (directory / "good.json").string();
  ASSERT_EQ(run_guardbit(timing("--variants none --format json -q > " + good)).status, 0);
  EXPECT_EQ(run_guardbit("report " + good + " -o " + (directory / "no/such/page.html").string()).status, 73);
  EXPECT_EQ(run_guardbit("report " + good + " -o /dev/full").status, 73) << "devices are never replaced";
}

TEST(ReportVerbTest, ABathtubOfAnotherTraceIsRefused) {
  const TemporaryDirectory directory;
  const std::string out = (directory / "edge").string();
  ASSERT_EQ(run_guardbit(timing("--variants none -q -o " + out)).status, 0);
  const auto bathtub_of = [&](const std::filesystem::path& trace, const std::string& name) {
    const CommandResult made = run_guardbit("bathtub " + trace.string() + " -a " + shipped_accelerator("edge") +
                                            " --windows 1 --from 0 --to 1 --format json -q");
    EXPECT_EQ(made.status, 0) << made.err;
    return directory.write(name, made.out).string();
  };
  const std::string page = (directory / "page.html").string();
  const std::string other = bathtub_of(capture_short_trace(directory, 1, 4), "other.json");
  const CommandResult refused = run_guardbit("report " + out + " --bathtub " + other + " -o " + page);
  EXPECT_EQ(refused.status, 65);
  EXPECT_THAT(refused.err, HasSubstr("other.json: /provenance/trace_sha256: got \""));
  EXPECT_THAT(refused.err, HasSubstr(", the trace of the result"));
  EXPECT_FALSE(std::filesystem::exists(page));
  const std::string same = bathtub_of(included_trace(), "same.json");
  EXPECT_EQ(run_guardbit("report " + out + " --bathtub " + same + " -o " + page + " -q").status, 0);
}

TEST(ReportVerbTest, TheRecordedCommandMakesTheResultAgain) {
  const TemporaryDirectory directory;
  const std::string out = (directory / "a b").string();
  const auto json = [](const CommandResult& result) { return nlohmann::json::parse(result.out); };
  const auto first =
      json(run_guardbit(timing("--variants none,rrs --set norm.lanes=32 --set array.rows=16 --stall-seed 3 "
                               "--threads 1 -q --format json -o '" +
                               out + "'")));
  const std::string command = first.at("provenance").at("command");
  EXPECT_EQ(command, "guardbit replay " + included_trace() + " --accelerator " + shipped_accelerator("edge") +
                         " --variants none,rrs --set norm.lanes=32 --set array.rows=16 --no-values --stall-seed 3 "
                         "--windows 1");
  EXPECT_EQ(json(run_guardbit(command.substr(command.find(' ') + 1) + " --format json -q")), first);
  const std::filesystem::path linked = directory / "it's here";
  std::filesystem::create_directory_symlink(included_trace(), linked);
  const auto quoted = json(run_guardbit("replay \"" + linked.string() + "\" -a " + shipped_accelerator("edge") +
                                        " --no-values --windows 1 --variants none --format json -q"));
  EXPECT_THAT(std::string(quoted.at("provenance").at("command")), HasSubstr("/it'\\''s here' --accelerator "));
}

}  // namespace
}  // namespace guardbit::tests
