// Strict JSON: what is refused, the wording of complaints, and that one run reports all of them.
#include "sim/trace/strict_json.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace guardbit::sim {
namespace {

using tests::refuses;

struct RefusedText {
  const char* id;
  std::string text;
  const char* message;
};
void PrintTo(const RefusedText& value, std::ostream* stream) { *stream << value.id; }

class RefusedJsonTest : public testing::TestWithParam<RefusedText> {};

TEST_P(RefusedJsonTest, HasItsOwnMessage) {
  EXPECT_TRUE(
      refuses([] { (void)parse_json(GetParam().text, "f.json", {.max_depth = 3, .max_members = 2, .max_values = 9}); },
              ExitCode::kMalformedInput, GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(
    Corpus, RefusedJsonTest,
    testing::Values(
        RefusedText{"empty", "", "f.json: got parse error at line 1, column 1"},
        RefusedText{"blank", "  \n", "expected JSON"},
        RefusedText{"byte_order_mark", "\xEF\xBB\xBF{}", "f.json: got a byte order mark"},
        RefusedText{"trailing_value", "{} {}", "expected JSON"},
        RefusedText{"trailing_nul", std::string("{}\0", 3), "expected JSON"},
        RefusedText{"trailing_comma", "[1,]", "expected JSON"}, RefusedText{"comment", "[1] // one", "expected JSON"},
        RefusedText{"single_quotes", "{'a':1}", "expected JSON"}, RefusedText{"nan", "[NaN]", "expected JSON"},
        RefusedText{"infinity", "[-Infinity]", "expected JSON"}, RefusedText{"hexadecimal", "[0x10]", "expected JSON"},
        RefusedText{"leading_zero", "[01]", "expected JSON"}, RefusedText{"leading_plus", "[+1]", "expected JSON"},
        RefusedText{"no_digit_after_point", "[1.]", "expected JSON"},
        RefusedText{"number_too_large", "[1e400]", "expected JSON"},
        RefusedText{"raw_control", "[\"a\nb\"]", "expected JSON"},
        RefusedText{"overlong_utf8", "[\"\xC0\x80\"]", "expected JSON"},
        RefusedText{"surrogate_utf8", "[\"\xED\xA0\x80\"]", "expected JSON"},
        RefusedText{"latin1", "[\"\xFC\"]", "expected JSON"},
        RefusedText{"lone_surrogate", R"(["\udc00"])", "expected JSON"},
        RefusedText{"duplicate", R"({"a":1,"a":1})", "f.json:/a: got key given twice; expected one"},
        RefusedText{"duplicate_deep", R"({"x/y":[7,{"~":1,"~":2}]})", "f.json:/x~1y/1/~0: got key given twice"},
        RefusedText{"too_deep", "[[[[1]]]]", "f.json:/0/0/0: got nesting deeper than 3"},
        RefusedText{"bomb", std::string(1'000'000, '['), "got nesting deeper than 3"},
        RefusedText{"too_many_members", R"({"a":1,"b":2,"c":3})", "f.json:/c: got more than 2 members"},
        RefusedText{"too_many_values", "[1,2,3,4,5,6,7,8,9]", "got more than 9 values"}),
    [](const auto& row) { return std::string(row.param.id); });

TEST(StrictJsonTest, ValuesKeepTheirKindAndExactIntegers) {
  const JsonValue root =
      parse_json(R"([18446744073709551615, 18446744073709551616, -3, 1.0, 1e2, "\u00fc", true, null])", "f");
  ASSERT_EQ(root.items.size(), 8u);
  EXPECT_EQ(root.items[0].unsigned_value, UINT64_MAX);
  EXPECT_EQ(root.items[1].kind, JsonValue::Kind::kFloat);
  EXPECT_EQ(root.items[2].kind, JsonValue::Kind::kNegative);
  EXPECT_EQ(root.items[3].kind, JsonValue::Kind::kFloat);
  EXPECT_EQ(root.items[4].number, 100.0);
  EXPECT_EQ(root.items[5].text, "\xC3\xBC");
  EXPECT_TRUE(root.items[6].boolean);
  EXPECT_EQ(root.items[7].kind, JsonValue::Kind::kNull);
}

TEST(StrictJsonTest, AllProblemsOfAFileAreReportedTogether) {
  const JsonValue root =
      parse_json(R"({"count": 2.0, "name": "a\u0007", "files": ["../x"], "sizes": {"w": -1}, "extra": 1})", "t.json");
  JsonProblems problems("t.json");
  const JsonCursor cursor(root, problems);
  cursor.allow_only({"count", "name", "files", "sizes", "missing"});
  EXPECT_EQ(cursor.at("count").int_in(1, 9), 1);
  EXPECT_EQ(cursor.at("name").string(), "");
  for (const JsonCursor& file : cursor.at("files").items()) EXPECT_EQ(file.file_name(), "");
  EXPECT_EQ(cursor.at("sizes").at("w").number_in(0, 1), 0);
  EXPECT_EQ(cursor.at("missing").at("deeper").boolean(), false);
  const char* expected =
      "t.json:/extra: got an unknown key; expected one of: count, name, files, sizes, missing\n"
      "t.json:/count: got 2.0; expected an integer in 1..9\n"
      "t.json:/name: got \"a\a\"; expected a string of 1..4096 bytes without control characters\n"
      "t.json:/files/0: got \"../x\"; expected a plain name of a file in the same directory (it has a path separator)\n"
      "t.json:/sizes/w: got -1; expected a number in 0..1\n"
      "t.json:/missing: got nothing; expected this key";
  try {
    problems.throw_if_any();
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_EQ(error.code(), ExitCode::kMalformedInput);
    EXPECT_STREQ(error.what(), expected);
  }
}

TEST(StrictJsonTest, VeryManyProblemsAreCut) {
  JsonProblems problems("t.json");
  for (int i = 0; i < 25; ++i) problems.add("/" + std::to_string(i), "x", "y");
  EXPECT_TRUE(refuses([&] { problems.throw_if_any(); }, ExitCode::kMalformedInput,
                      "/19: got x; expected y\nt.json: and 5 more problems"));
}

TEST(StrictJsonTest, AcceptedValuesPassTheirAccessors) {
  const std::string hash(64, 'a');
  const JsonValue root =
      parse_json(R"({"n": 0, "x": -1.5, "h": ")" + hash + R"(", "f": "weights-1.safetensors", "b": false})", "f");
  JsonProblems problems("f");
  const JsonCursor cursor(root, problems);
  EXPECT_EQ(cursor.at("n").unsigned_in(0, 0), 0u);
  EXPECT_EQ(cursor.at("x").number_in(-2, 0), -1.5);
  EXPECT_EQ(cursor.at("h").sha256(), hash);
  EXPECT_EQ(cursor.at("f").file_name(), "weights-1.safetensors");
  EXPECT_FALSE(cursor.find("nothing").has_value());
  EXPECT_TRUE(problems.empty());
  (void)cursor.at("f").sha256();
  EXPECT_FALSE(problems.empty());
}

// PATH-01..03, 06, 07: whatever is not a plain name; symbolic links (PATH-04) are the directory owner's business.
TEST(StrictJsonTest, OnlyPlainFileNamesPass) {
  for (const char* name :
       {"../x", "/etc/passwd", "a/../../x", "a/b", "..", ".", ".hidden", "-rf", "a\\b", "C:x", "a\x01", ""}) {
    EXPECT_NE(file_name_problem(name), "") << printable(name);
  }
  EXPECT_NE(file_name_problem(std::string_view("a\0b", 3)), "");
  EXPECT_NE(file_name_problem(std::string(256, 'a')), "");
  for (const char* name : {"a", "weights.safetensors", "a-b_c.1", "\xC3\xBC"})
    EXPECT_EQ(file_name_problem(name), "") << name;
}

}  // namespace
}  // namespace guardbit::sim
