// Sharded checkpoints: what an index may not say (IDX-01..03) and where its files may not lie (PATH-01..06).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/trace/hugging_face_shards.h"
#include "tests/support/expect_error.h"
#include "tests/support/hugging_face_model.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using tests::refuses;

tests::PlainTensors tensor_named(const std::string& name) { return {{name, {{2}, {1.0F, 2.0F}}}}; }

/// A directory with shards one.safetensors (tensor "a") and two.safetensors (tensor "b") and a right index.
class ShardsTest : public testing::Test {
 protected:
  ShardsTest() {
    directory_.write("m/one.safetensors", tests::safetensors_bytes(tensor_named("a")));
    directory_.write("m/two.safetensors", tests::safetensors_bytes(tensor_named("b")));
    write_map(R"({"a": "one.safetensors", "b": "two.safetensors"})");
  }
  void write_map(const std::string& map) { write_index("{\"weight_map\": " + map + "}"); }
  void write_index(const std::string& text) { directory_.write("m/model.safetensors.index.json", text); }
  testing::AssertionResult refused(std::string_view message, ExitCode code = ExitCode::kMalformedInput) {
    return refuses([&] { (void)open_checkpoint(directory_ / "m"); }, code, message);
  }

  tests::TemporaryDirectory directory_;
};

TEST_F(ShardsTest, RightIndexIsRead) {
  const CheckpointFiles checkpoint = open_checkpoint(directory_ / "m");
  EXPECT_EQ(checkpoint.files.size(), 3u);
  EXPECT_TRUE(checkpoint.contains("a") && checkpoint.contains("b"));
  (void)checkpoint.write(directory_ / "all.safetensors");
  const SafetensorsFile all(directory_ / "all.safetensors");
  EXPECT_EQ(all.read_matrix("b", 1, 2).data(), (std::vector<float>{1, 2}));
}

TEST_F(ShardsTest, Idx01TensorMappedToAShardThatLacksIt) {
  write_map(R"({"a": "two.safetensors", "b": "two.safetensors"})");
  EXPECT_TRUE(refused("/weight_map/a: got 'two.safetensors'; expected the file that holds this tensor"));
}

TEST_F(ShardsTest, Idx02ShardMissingOrTensorNotListed) {
  write_map(R"({"a": "one.safetensors", "b": "three.safetensors"})");
  EXPECT_TRUE(refused("m/three.safetensors: cannot open", ExitCode::kMissingInput));
  directory_.write("m/two.safetensors", tests::safetensors_bytes({{"b", {{1}, {1}}}, {"c", {{1}, {1}}}}));
  write_map(R"({"a": "one.safetensors", "b": "two.safetensors"})");
  EXPECT_TRUE(refused("tensor 'c' of two.safetensors is not listed"));
}

TEST_F(ShardsTest, Idx03TensorInTwoShards) {
  directory_.write("m/two.safetensors", tests::safetensors_bytes({{"a", {{1}, {1}}}, {"b", {{1}, {1}}}}));
  EXPECT_TRUE(refused("tensor 'a' is in one.safetensors and in two.safetensors; expected it in one file"));
}

TEST_F(ShardsTest, IndexesWithoutTheirShapeAreRefused) {
  for (const auto& [text, message] :
       {std::pair{"[]", "got an array of 0; expected an object"},
        {"{}", "/weight_map: got nothing; expected this key"},
        {R"({"weight_map": []})", "/weight_map: got an array of 0; expected an object"},
        {R"({"weight_map": {}})", "/weight_map: got an object with 0 members; expected at least one tensor"},
        {R"({"weight_map": {"a": 1}})", "/weight_map/a: got 1"},
        {R"({"weight_map": {"a": "config.json"}})", "/weight_map/a: got \"config.json\"; expected a name that ends in"},
        {R"({"weight_map": {"a": "x.safetensors", "a": "x.safetensors"}})", "/weight_map/a: got key given twice"}}) {
    write_index(text);
    EXPECT_TRUE(refused(message)) << text;
  }
}

TEST_F(ShardsTest, Path01To06NamesThatLeaveTheDirectoryAreRefused) {
  for (const char* const name :
       {"../one.safetensors", "/etc/one.safetensors", "a/../../one.safetensors", "a/one.safetensors",
        "..\\\\one.safetensors", "C:one.safetensors", "", ".", "..", "-o.safetensors", ".one.safetensors",
        "one\\u0000.safetensors", "one\\u001b[31m.safetensors"}) {
    write_map(std::string(R"({"a": "one.safetensors", "b": ")") + name + "\"}");
    EXPECT_TRUE(refused("/weight_map/b: got ")) << name;
  }
  write_map(R"({"a": "one.safetensors", "b": ")" + std::string(300, 'x') + ".safetensors\"}");
  EXPECT_TRUE(refused("/weight_map/b: got "));
}

TEST_F(ShardsTest, Path04SymbolicLinksMayNotLeaveTheDirectory) {
  fs::rename(directory_ / "m/two.safetensors", directory_ / "two.safetensors");
  fs::create_symlink("../two.safetensors", directory_ / "m/two.safetensors");
  EXPECT_TRUE(refused("m/two.safetensors: got a symbolic link to "));
  fs::remove(directory_ / "m/two.safetensors");
  fs::rename(directory_ / "two.safetensors", directory_ / "m/real.safetensors");
  fs::create_symlink("real.safetensors", directory_ / "m/two.safetensors");
  EXPECT_NO_THROW((void)open_checkpoint(directory_ / "m")) << "a link within the directory";
  fs::remove(directory_ / "m/two.safetensors");
  fs::create_symlink("two.safetensors", directory_ / "m/two.safetensors");
  EXPECT_TRUE(refused("two.safetensors: cannot open", ExitCode::kMissingInput)) << "a link to itself";
}

TEST_F(ShardsTest, TheDownloadCachesLinksAreUnderstood) {
  const fs::path snapshot = directory_ / "models--x/snapshots/0123";
  fs::create_directories(snapshot);
  directory_.write("models--x/blobs/abc", tests::safetensors_bytes(tensor_named("a")));
  fs::create_symlink("../../blobs/abc", snapshot / "model.safetensors");
  EXPECT_TRUE(open_checkpoint(snapshot).contains("a"));
  directory_.write("models--x/other/abc", tests::safetensors_bytes(tensor_named("a")));
  fs::remove(snapshot / "model.safetensors");
  fs::create_symlink("../../other/abc", snapshot / "model.safetensors");
  EXPECT_TRUE(refuses([&] { (void)open_checkpoint(snapshot); }, ExitCode::kMalformedInput, "got a symbolic link to "));
}

TEST_F(ShardsTest, PicklesAreNamed) {
  directory_.write("p/pytorch_model.bin", "x");
  EXPECT_TRUE(refuses([&] { (void)open_checkpoint(directory_ / "p"); }, ExitCode::kMissingInput,
                      "p: got only pytorch_model.bin, a Python pickle; expected safetensors"));
}

}  // namespace
}  // namespace guardbit::sim
