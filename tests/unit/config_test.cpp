// Accelerator files that load: what is resolved, where it came from, and the files that are shipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/config/accelerator.h"
#include "sim/config/describe.h"
#include "tests/support/golden_file.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

using tests::TemporaryDirectory;

std::string shipped(const std::string& name) {
  return std::string(GUARDBIT_SOURCE_DIR) + "/configs/accelerators/" + name + ".toml";
}

TEST(ConfigTest, AnEmptyFileIsTheDefaults) {
  const TemporaryDirectory directory;
  const LoadedAccelerator loaded = load_accelerator(directory.write("plain.toml", ""));
  EXPECT_EQ(loaded.name, "plain");
  EXPECT_EQ(loaded.config.array.rows, 32);
  EXPECT_EQ(loaded.config.smooth.sort, true);
  EXPECT_EQ(loaded.keys.at("array.rows"), "32");
  EXPECT_EQ(loaded.keys.at("storage.residual"), "fp16");
  EXPECT_EQ(loaded.keys.at("smooth.sort"), "true");
  EXPECT_EQ(loaded.keys.at("accumulator.buffer.format"), "");
  for (const auto& [key, origin] : loaded.origins) EXPECT_EQ(origin, "default") << key;
  EXPECT_EQ(loaded.keys.size(), loaded.origins.size());
}

TEST(ConfigTest, EveryKindOfKeyReachesItsMember) {
  const TemporaryDirectory directory;
  const auto file = directory.write("a.toml",
                                    "schema = \"guardbit-accelerator/1\"\n"
                                    "[array]\nrows = 16\nactivation = \"bf16\"\npolicy = \"serial\"\n"
                                    "[attention]\nactivation = \"fp8_e5m2\"\nscale = \"dynamic\"\noperand_max = 2.5\n"
                                    "[attention.accumulator]\nformat = \"e6m9\"\n"
                                    "[attention.accumulator.buffer]\nformat = \"fp32\"\npromote_every = 64\n"
                                    "[smooth]\nsort = false\n[dram]\nbandwidth_bytes_per_cycle = 64\n");
  const units::AcceleratorConfig config = load_accelerator(file).config;
  EXPECT_EQ(config.array.rows, 16);
  EXPECT_EQ(config.array.policy, "serial");
  EXPECT_EQ(config.linear.activation, "bf16");
  EXPECT_EQ(config.attention.activation, "fp8_e5m2");
  EXPECT_EQ(config.attention.operand_max, 2.5);
  EXPECT_EQ(config.attention_accumulator.format, "e6m9");
  EXPECT_EQ(config.attention_accumulator.buffer.promote_every, 64);
  EXPECT_EQ(config.accumulator.format, "fp32") << "another section's key must not move";
  EXPECT_EQ(config.smooth.sort, false);
  EXPECT_EQ(config.dram.bandwidth_bytes_per_cycle, 64.0);
}

TEST(ConfigTest, LaterOverridesEarlierAndOriginsSaySo) {
  const TemporaryDirectory directory;
  directory.write("parts/first.toml", "[array]\nrows = 2\ncols = 2\n[norm]\nlanes = 2\n");
  directory.write("parts/second.toml", "extends = [\"third.toml\"]\n[array]\ncols = 3\n");
  directory.write("parts/third.toml", "[array]\ncols = 5\n[dma]\nburst_bytes = 64\n");
  const auto file = directory.write(
      "top.toml",
      "extends = [\"parts/first.toml\", \"parts/second.toml\"]\n\n[norm]\nlanes = 8\n[rotate]\nlanes = 7\n");
  const LoadedAccelerator loaded =
      load_accelerator(file, std::vector<std::string>{"rotate.lanes=9", "clock.mhz=250", "rotate.lanes=9"});
  const auto place = [&](const std::string& name) { return (directory.path() / name).string(); };
  EXPECT_EQ(loaded.config.array.rows, 2);
  EXPECT_EQ(loaded.origins.at("array.rows"), place("parts/first.toml:2"));
  EXPECT_EQ(loaded.config.array.cols, 3);
  EXPECT_EQ(loaded.origins.at("array.cols"), place("parts/second.toml:3"));
  EXPECT_EQ(loaded.config.dma.burst_bytes, 64);
  EXPECT_EQ(loaded.origins.at("dma.burst_bytes"), place("parts/third.toml:4"));
  EXPECT_EQ(loaded.config.norm.lanes, 8);
  EXPECT_EQ(loaded.origins.at("norm.lanes"), place("top.toml:4"));
  EXPECT_EQ(loaded.config.rotate.lanes, 9);
  EXPECT_EQ(loaded.origins.at("rotate.lanes"), "--set");
  EXPECT_EQ(loaded.config.clock.mhz, 250.0);
  EXPECT_EQ(loaded.origins.at("smooth.lanes"), "default");
}

TEST(ConfigTest, OverridesAreTomlValuesOrBareWords) {
  const TemporaryDirectory directory;
  const auto file = directory.write("a.toml", "[accumulator.buffer]\nformat = \"fp32\"\npromote_every = 64\n");
  const auto with = [&](const std::string& text) { return load_accelerator(file, std::vector{text}).config; };
  EXPECT_EQ(with("storage.residual=bf16").storage.residual, "bf16");
  EXPECT_EQ(with("storage.residual=\"bf16\"").storage.residual, "bf16");
  EXPECT_EQ(with("storage.residual='bf16'").storage.residual, "bf16");
  EXPECT_EQ(with("smooth.sort=false").smooth.sort, false);
  EXPECT_EQ(with("array.rows=0x10").array.rows, 16);
  EXPECT_EQ(with("dram.bandwidth_bytes_per_cycle=12.5").dram.bandwidth_bytes_per_cycle, 12.5);
  // A shell turns key="" into key=.
  const std::vector<std::string> none = {"accumulator.buffer.format=", "accumulator.buffer.promote_every=0"};
  EXPECT_EQ(load_accelerator(file, none).config.accumulator.buffer.format, "");
}

TEST(ConfigTest, HashIsOfValuesNotOfTheirSpelling) {
  const TemporaryDirectory directory;
  const std::string plain = load_accelerator(directory.write("a.toml", "")).sha256;
  EXPECT_EQ(load_accelerator(directory.write("b.toml", "[clock]\nmhz = 1_000.0  # default\n")).sha256, plain);
  EXPECT_EQ(load_accelerator(directory.write("c.toml", "array.rows = 0x20\n")).sha256, plain);
  EXPECT_NE(load_accelerator(directory.write("d.toml", "[clock]\nmhz = 1000.5\n")).sha256, plain);
  EXPECT_NE(load_accelerator(directory.write("e.toml", "[smooth]\nsort = false\n")).sha256, plain);
  const LoadedAccelerator loaded = load_accelerator(directory.path() / "a.toml");
  std::string canonical;
  for (const auto& [key, value] : loaded.keys) canonical += key + "=" + value + "\n";
  EXPECT_EQ(loaded.sha256, sha256_hex(canonical));
}

TEST(ConfigTest, RulesBetweenKeysAreReportedWithTheirPlace) {
  const TemporaryDirectory directory;
  const auto file = directory.write("a.toml", "[array]\nrows = 8\nactivation = \"int4\"\nweight = \"fp16\"\n");
  try {
    (void)load_accelerator(file);
    ADD_FAILURE() << "integers on one side only were accepted";
  } catch (const UserError& error) {
    EXPECT_EQ(static_cast<int>(error.code()), 78);
    EXPECT_THAT(error.what(), testing::ContainsRegex(file.string() + ":[34]: array\\.(activation|weight): "));
  }
}

class ShippedAcceleratorTest : public testing::TestWithParam<std::string> {};

TEST_P(ShippedAcceleratorTest, LoadsAndShowsItself) {
  const LoadedAccelerator loaded = load_accelerator(shipped(GetParam()));
  EXPECT_EQ(loaded.name, GetParam());
  const TemporaryDirectory directory;
  const LoadedAccelerator again =
      load_accelerator(directory.write(GetParam() + ".toml", show(loaded, /*origins=*/true)));
  EXPECT_EQ(again.keys, loaded.keys);
  EXPECT_EQ(again.sha256, loaded.sha256);
  for (const auto& [key, origin] : again.origins) EXPECT_NE(origin, "default") << key << " is not shown";
}

INSTANTIATE_TEST_SUITE_P(Files, ShippedAcceleratorTest, testing::Values("edge", "fp16", "fp32", "fp8", "hopper"),
                         [](const auto& row) { return row.param; });

TEST(ShippedAcceleratorsTest, NoFileIsLeftOut) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(shipped("edge")).parent_path())) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("edge.toml", "fp16.toml", "fp32.toml", "fp8.toml", "hopper.toml"));
}

TEST(ConfigShowTest, SaysWhereValuesComeFrom) {
  const TemporaryDirectory directory;
  const auto file = directory.write("a.toml", "[array]\nrows = 16\n");
  const std::string text = show(load_accelerator(file, std::vector<std::string>{"array.cols=8"}), true);
  EXPECT_THAT(text, testing::HasSubstr("\nrows = 16                               # " + file.string() + ":2\n"));
  EXPECT_THAT(text, testing::HasSubstr("\ncols = 8                                # --set\n"));
  EXPECT_THAT(text, testing::HasSubstr("\ndataflow = \"os\"                         # default\n"));
}

TEST(ConfigReferenceTest, ReadmeIsUpToDate) { tests::expect_golden("configs/README.md", key_reference()); }

}  // namespace
}  // namespace guardbit::sim
