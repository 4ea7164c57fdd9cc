// `guardbit capture` and the replay of what it made, for every architecture: on hardware wide enough the simulated
// machine reproduces the reference, so the schedule computes the model's ops in the model's way.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>

#include "sim/trace/trace_bundle.h"
#include "tests/support/hugging_face_model.h"
#include "tests/support/npy_writer.h"
#include "tests/support/run_guardbit.h"
#include "tests/support/shared_data.h"

namespace guardbit::tests {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string on_accelerator(const std::string& name) { return " --accelerator " + shipped_accelerator(name) + " "; }

Json replay(const fs::path& trace, const std::string& options) {
  const CommandResult result = run_guardbit("replay " + trace.string() + options + " --format json");
  EXPECT_EQ(result.status, 0) << result.err;
  return result.status == 0 ? Json::parse(result.out) : Json();
}

class CaptureArchitectureTest : public testing::TestWithParam<int> {};

TEST_P(CaptureArchitectureTest, ReplaysToItsReferenceOnWideHardwareAndRunsOnNarrow) {
  const TemporaryDirectory directory;
  const HuggingFaceModel model = hugging_face_models().at(static_cast<std::size_t>(GetParam()));
  const transformer::ModelShape& shape = model.random.shape;
  const fs::path source = write_hugging_face(directory, "model", model);
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 2 * shape.context_length; ++i) ids.push_back(i * 5 % shape.vocabulary_size);
  directory.write("ids.npy", npy_file(npy_header("<i8", "(" + std::to_string(ids.size()) + ",)"), raw_bytes(ids)));
  const fs::path trace = directory / "trace";
  const CommandResult captured = run_guardbit("capture " + source.string() + " --tokens " +
                                              (directory / "ids.npy").string() + " -o " + trace.string());
  ASSERT_EQ(captured.status, 0) << captured.err;
  const bool is_encoder = shape.family == "bert";
  const std::string variants =
      is_encoder ? "none,dynamic_norm,rs,slanc,slanc+rs" : "none,dynamic_norm,slanc,slanc_residual,rrs,slanc+rrs";
  const Json wide = replay(trace, on_accelerator("edge") + kWide + "--variants " + variants);
  for (const Json& variant : wide["variants"]) {
    EXPECT_GT(variant["sqnr_db"].get<double>(), 100) << variant["name"];
    EXPECT_EQ(variant["perplexity"].is_null(), is_encoder);
    EXPECT_EQ(wide["trace"]["scored_tokens"] == 0, is_encoder);
    EXPECT_EQ(variant["top1_agreement"].is_null(), !shape.has_head);
  }
  const Json narrow = replay(trace, on_accelerator("edge") + "--variants " + variants);
  const Json timing = replay(trace, on_accelerator("edge") + "--no-values --variants " + variants);
  for (std::size_t i = 0; i < narrow["variants"].size(); ++i) {
    for (const char* const key : {"cycles", "energy", "purposes", "stalls"}) {
      ASSERT_TRUE(narrow["variants"][i].contains(key)) << key;
      EXPECT_EQ(timing["variants"][i][key], narrow["variants"][i][key]) << key;
    }
  }
  const CommandResult bathtub =
      run_guardbit("bathtub " + trace.string() + on_accelerator("edge") + "--from 0 --to 1 --format csv");
  EXPECT_EQ(bathtub.status, 0) << bathtub.err;
  const Json& ops = narrow["variants"][0]["ops"];
  const auto num_norms = std::count_if(ops.begin(), ops.end(), [](const Json& op) { return op["kind"] == "norm"; });
  EXPECT_EQ(std::count(bathtub.out.begin(), bathtub.out.end(), '\n'), 1 + 2 * num_norms);
  for (const Json& variant : narrow["variants"]) {
    EXPECT_GT(variant["events"]["inexact"].get<std::uint64_t>(), 0) << variant["name"];
    EXPECT_LT(variant["sqnr_db"].get<double>(), 60) << variant["name"] << ": INT4 is seen";
    std::uint64_t macs = 0;
    for (const Json& op : variant["ops"]) {
      if (op["kind"] == "scores") macs += op["macs"].get<std::uint64_t>();
    }
    EXPECT_GT(macs, 0u);
  }
}
INSTANTIATE_TEST_SUITE_P(All, CaptureArchitectureTest,
                         testing::Range(0, static_cast<int>(hugging_face_models().size())), [](const auto& row) {
                           const auto model = hugging_face_models().at(static_cast<std::size_t>(row.param));
                           return model.model_type + std::to_string(row.param);
                         });

TEST(CaptureVerbTest, MethodsThatDoNotApplyToEncodersAreRefusedByName) {
  const TemporaryDirectory directory;
  const fs::path source = write_hugging_face(directory, "model", hugging_face_models().at(7));
  const fs::path tokens = directory.write("t.json", R"({"windows": [[1, 2, 3]]})");
  const fs::path trace = directory / "trace";
  ASSERT_EQ(
      run_guardbit("capture " + source.string() + " --tokens " + tokens.string() + " -o " + trace.string()).status, 0);
  for (const char* const variant : {"rotate", "rrs", "slanc_residual"}) {
    for (const char* const timing : {"", "--no-values "}) {
      const CommandResult result =
          run_guardbit("replay " + trace.string() + on_accelerator("edge") + timing + "--variants " + variant);
      EXPECT_EQ(result.status, 2) << timing << variant;
      EXPECT_NE(result.err.find("does not apply to post-norm models (bert)"), std::string::npos) << result.err;
    }
  }
  const CommandResult table = run_guardbit("replay " + trace.string() + on_accelerator("edge") + "--variants none");
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_NE(table.out.find("fp32 reference           -\n"), std::string::npos) << "no perplexity: " << table.out;
}

TEST(CaptureVerbTest, TextOfAByteModelIsCutIntoWindows) {
  GUARDBIT_REQUIRE_SHARED("models/kjv-gpt2/model.safetensors");
  const TemporaryDirectory directory;
  const fs::path model = shared_path("models/kjv-gpt2");
  const std::string text = content_of(model / "held_out.txt").substr(0, 600);
  const fs::path file = directory.write("text.txt", text);
  const auto capture_text = [&](const std::string& options) {
    const CommandResult result = run_guardbit("capture " + model.string() + " --text " + file.string() + " -o " +
                                              (directory / "trace").string() + options);
    EXPECT_EQ(result.status, 0) << result.err;
    return sim::load_trace(directory / "trace");
  };
  const sim::Trace plain = capture_text(" --context 128");
  ASSERT_EQ(plain.windows.size(), 5u);  // 599 targets
  for (std::size_t i = 0; i < plain.windows.size(); ++i)
    for (std::size_t t = 0; t < plain.windows[i].tokens.size(); ++t)
      ASSERT_EQ(plain.windows[i].tokens[t], static_cast<unsigned char>(text[i * 128 + t]));
  EXPECT_EQ(plain.origin, "captured by guardbit from kjv-gpt2; text.txt, windows of 128 tokens, stride 128");
  EXPECT_EQ(plain.sources.back().file, "text.txt");
  const sim::Trace overlapping = capture_text(" --context 128 --stride 32");
  const auto sum = [](const sim::Trace& trace) {
    double total = 0;
    std::size_t num_targets = 0;
    for (const auto& window : trace.windows) {
      total += window.reference_nll;
      num_targets += scored_targets_of(window, trace.shape).size();
    }
    EXPECT_EQ(num_targets, 599u);
    return total;
  };
  EXPECT_LT(sum(overlapping), sum(plain)) << "more context for the same targets";
  const Json result = replay(directory / "trace", on_accelerator("fp16") + "--variants none");
  EXPECT_NEAR(result["reference"]["perplexity"].get<double>(), std::exp(sum(overlapping) / 599), 1e-3);
  EXPECT_NEAR(result["variants"][0]["perplexity"].get<double>(), std::exp(sum(overlapping) / 599), 0.1);
  EXPECT_EQ(capture_text(" --context 128 --windows 2").windows.size(), 2u);
}

TEST(CaptureVerbTest, TextOfALlama2cModelGoesThroughItsTokenizer) {
  GUARDBIT_REQUIRE_SHARED("models/stories260k/tok512.bin");
  const TemporaryDirectory directory;
  const fs::path folder = shared_path("models/stories260k");
  const fs::path text = directory.write("text.txt", "Once upon a time, there was a little girl named Lily.");
  const std::string command = "capture " + (folder / "stories260K.bin").string() + " --text " + text.string() + " -o " +
                              (directory / "trace").string();
  EXPECT_EQ(run_guardbit(command).status, 66) << "tok512.bin is no tokenizer.bin";
  const CommandResult result = run_guardbit(command + " --tokenizer " + (folder / "tok512.bin").string());
  ASSERT_EQ(result.status, 0) << result.err;
  const sim::Trace trace = sim::load_trace(directory / "trace");
  ASSERT_EQ(trace.windows.size(), 1u);
  EXPECT_EQ(trace.windows[0].tokens.front(), 1) << "beginning of sequence";
  EXPECT_LT(trace.windows[0].reference_nll / static_cast<double>(trace.windows[0].tokens.size() - 1), 2.0)
      << "the model knows how stories begin";
}

TEST(CaptureVerbTest, MistakesHaveTheirExitCodesAndLeaveNothing) {
  const TemporaryDirectory directory;
  const HuggingFaceModel model = hugging_face_models().at(0);
  const fs::path source = write_hugging_face(directory, "model", model);
  directory.write("text.txt", "hello");
  directory.write("empty.txt", "");
  directory.write("t.json", R"({"windows": [[1, 2, 3]]})");
  directory.write("high.json", R"({"windows": [[1, 2, 99]]})");
  const std::vector<std::tuple<std::string, int, const char*>> rows = {
      {"", 2, "expected one of --text and --tokens"},
      {"--text D/text.txt --tokens D/t.json", 2, "--tokens excludes --text"},
      {"--tokens D/t.json --tokenizer bytes", 2, "--tokenizer: goes with --text"},
      {"--tokens D/t.json --context 4", 2, "--context and --stride: go with --text"},
      {"--tokens D/t.json --calibration-windows 4", 2, "--calibration-windows: got 4 and no calibration text"},
      {"--text D/text.txt --tokenizer bytes", 2, "--tokenizer bytes: got a model of 23 tokens"},
      {"--text D/text.txt --tokenizer bytes --context 0", 2, "--context"},
      {"--text D/text.txt", 66, "model/tokenizer.json: there is no such file"},
      {"--text D/empty.txt --tokenizer D/none.json", 65, "empty.txt: got 0 bytes; expected text"},
      {"--text D/none.txt --tokenizer D/none.json", 66, "none.txt: cannot open"},
      {"--tokens D/none.npy", 66, "none.npy: cannot open"},
      {"--tokens D/high.json", 65, "/windows/0/2: got 99; expected an integer in 0..22"},
  };
  for (const auto& [options, status, message] : rows) {
    const std::string arguments = std::regex_replace(options, std::regex("D/"), directory.path().string() + "/");
    const CommandResult result =
        run_guardbit("capture " + source.string() + " " + arguments + " -o " + (directory / "trace").string());
    EXPECT_EQ(result.status, status) << options << ": " << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << options << ": " << result.err;
    EXPECT_FALSE(fs::exists(directory / "trace"));
  }
}

}  // namespace
}  // namespace guardbit::tests
