// What widths make of an accelerator, and what is refused how.
#include "sim/replay/variant_hardware.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/config/accelerator.h"
#include "sim/replay/runnable_variant.h"
#include "tests/support/random_models.h"

namespace guardbit::sim {
namespace {

units::AcceleratorConfig shipped(const std::string& name, std::vector<std::string> overrides = {}) {
  const std::filesystem::path file =
      std::filesystem::path(GUARDBIT_SOURCE_DIR) / "configs/accelerators" / (name + ".toml");
  return load_accelerator(file, overrides).config;
}

VariantHardware hardware(const std::string& variant, const units::AcceleratorConfig& accelerator) {
  return variant_hardware(calibration::parse_variant(variant), accelerator);
}

std::string refusal(const std::string& variant, const units::AcceleratorConfig& accelerator) {
  try {
    (void)hardware(variant, accelerator);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(VariantHardwareTest, WithoutWidthsItIsTheAccelerator) {
  for (const std::string name : {"edge", "fp8", "fp16", "hopper"}) {
    const units::AcceleratorConfig accelerator = shipped(name);
    const VariantHardware same = hardware("slanc+rrs", accelerator);
    const auto keys = describe_hardware({}, same.config, accelerator);
    EXPECT_EQ(keys.size(), 5U) << "operands, cycles, accumulator and cache, and nothing that differs";
    EXPECT_EQ(same.weight_bits, name == "edge" ? 4 : 0);
    EXPECT_FALSE(same.stores_codes);
  }
}

TEST(VariantHardwareTest, IntegersOfOtherWidthsCostDigits) {
  const units::AcceleratorConfig edge = shipped("edge");  // int4 x int4, one cycle
  const struct {
    const char* variant;
    const char* activation;
    const char* weight;
    int cycles;
  } cases[] = {{"none+w4a4", "int4", "int4", 1}, {"w3a3", "int3", "int3", 1}, {"w8a8", "int8", "int8", 4},
               {"w4a8", "int8", "int4", 2},      {"a8", "int8", "int4", 2},   {"w5", "int4", "int5", 2}};
  for (const auto& c : cases) {
    const VariantHardware made = hardware(c.variant, edge);
    EXPECT_EQ(made.config.linear.activation, c.activation) << c.variant;
    EXPECT_EQ(made.config.linear.weight, c.weight) << c.variant;
    EXPECT_EQ(made.config.linear.cycles_per_mac, c.cycles) << c.variant;
    EXPECT_EQ(made.config.accumulator.format, "int32") << c.variant;
    EXPECT_FALSE(made.stores_codes) << c.variant;
  }
  EXPECT_EQ(hardware("w8a8", shipped("edge", {"array.cycles_per_mac=3"})).config.linear.cycles_per_mac, 12);
}

TEST(VariantHardwareTest, SixteenBitsAreTheFloatsOfAttention) {
  const units::AcceleratorConfig edge = shipped("edge");
  for (const char* variant : {"w4a16", "a16"}) {
    const VariantHardware made = hardware(variant, edge);
    EXPECT_EQ(made.config.linear.activation, "fp16");
    EXPECT_EQ(made.config.linear.weight, "fp16");
    EXPECT_EQ(made.config.linear.cycles_per_mac, 9) << "as [attention] needs on this array";
    EXPECT_EQ(made.config.accumulator.format, "fp16");
    EXPECT_EQ(made.weight_bits, 4);
    EXPECT_TRUE(made.stores_codes);
    EXPECT_FALSE(made.scaled_sums);
  }
  EXPECT_EQ(hardware("w16a16", edge).weight_bits, 0);
  EXPECT_FALSE(hardware("w16a16", edge).stores_codes);

  const VariantHardware fp16 = hardware("w4", shipped("fp16"));
  EXPECT_EQ(fp16.config.linear.activation, "fp16");
  EXPECT_EQ(fp16.config.linear.cycles_per_mac, 1);
  EXPECT_EQ(fp16.weight_bits, 4);
  EXPECT_TRUE(fp16.stores_codes);
}

TEST(VariantHardwareTest, ExllamaAddsOneAfterTheOtherInHalfPrecision) {
  for (const std::string name : {"edge", "fp16"}) {
    const VariantHardware made = hardware("w4a16_fp16", shipped(name));
    EXPECT_TRUE(made.scaled_sums);
    EXPECT_EQ(made.config.accumulator.format, "fp16") << name;
    EXPECT_EQ(made.config.accumulator.reduce, "sequential") << name;
    EXPECT_EQ(made.config.accumulator.rounding, "rne") << name;
    EXPECT_EQ(made.config.accumulator.interleave, 1) << name;
    EXPECT_EQ(made.config.accumulator.buffer.format, "") << name;
  }
}

TEST(VariantHardwareTest, CachesAreTheVariantsOwn) {
  EXPECT_EQ(hardware("kv4", shipped("edge")).config.storage.kv_cache, "int4");
  EXPECT_EQ(hardware("kv16", shipped("edge")).config.storage.kv_cache, "fp16");
  const auto asymmetric = shipped("edge", {"storage.kv_cache=int8", "storage.kv_cache_zero_point=true"});
  EXPECT_TRUE(hardware("kv4", asymmetric).config.storage.kv_cache_zero_point);
  EXPECT_EQ(hardware("kv16", asymmetric).config.storage.kv_cache, "fp16");
  EXPECT_FALSE(hardware("kv16", asymmetric).config.storage.kv_cache_zero_point);
  EXPECT_EQ(describe_hardware({}, hardware("kv4", shipped("edge")).config, shipped("edge")).at("storage.kv_cache"),
            "int4");
}

TEST(VariantHardwareTest, ImpossibleWidthsAreRefusedWithTheVariantNamed) {
  using testing::HasSubstr;
  EXPECT_THAT(refusal("w4a4", shipped("fp16")), HasSubstr("variant \"w4a4\": a4: integer activations need an array of "
                                                          "integers; [array] multiplies fp16 x fp16"));
  EXPECT_THAT(refusal("rrs+w16a8", shipped("edge")),
              HasSubstr("variant \"rrs+w16a8\": w16 with activations of 8 bits"));
  EXPECT_THAT(refusal("w16", shipped("edge")), HasSubstr("w16 with activations of 4 bits"));
  EXPECT_THAT(refusal("a8", shipped("fp16")), HasSubstr("a8 with 16-bit weights"));
  EXPECT_THAT(refusal("w4", shipped("fp8")), HasSubstr("expected array.scale = \"none\""));
  EXPECT_THAT(refusal("w8a8", shipped("edge", {"accumulator.format=int12"})),
              HasSubstr("variant \"w8a8\": accumulator.format: got \"int12\" for products of 16 bits"));
  const auto no_floats = shipped("edge", {"attention.activation=fp8_e4m3", "attention.weight=fp8_e4m3",
                                          "head.activation=fp8_e4m3", "head.weight=fp8_e4m3"});
  EXPECT_THAT(refusal("w4a16", no_floats), HasSubstr("no products of 16-bit floats: [array] multiplies int4 x int4, "
                                                     "[attention] fp8_e4m3 x fp8_e4m3"));
  const auto bf16 = shipped("edge", {"attention.activation=bf16", "attention.weight=bf16"});
  EXPECT_EQ(hardware("w4a16", bf16).config.linear.weight, "bf16");
  EXPECT_THAT(refusal("w4a16_fp16", bf16), HasSubstr("\"_fp16\" needs products of fp16"));
}

/// What RunnableVariant::check says.
std::string problem(const std::string& text, const units::AcceleratorConfig& accelerator) {
  transformer::Model<float> model = tests::random_models().front().build();
  const calibration::Variant variant = calibration::parse_variant(text);
  try {
    const RunnableVariant runnable(variant, variant_hardware(variant, accelerator), {});
    runnable.outline(model);
    runnable.check(model);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(VariantHardwareTest, GroupsThatCannotBeSummedAreRefused) {
  using testing::HasSubstr;
  const auto edge = shipped("edge");
  EXPECT_EQ(problem("rtn(group=64)", edge), "");
  EXPECT_THAT(problem("rrs+rtn(group=64)", edge), HasSubstr("variant \"rrs+rtn(group=64)\": layers.0.attn.o: runtime "
                                                            "smoothing reorders the channels of groups of 64"));
  EXPECT_EQ(problem("rrs+rtn(asym)", edge), "");
  EXPECT_EQ(problem("rtn(group=64)", shipped("edge", {"array.activation_group=32"})), "");
  EXPECT_THAT(problem("rtn(group=64)", shipped("edge", {"array.activation_group=48"})),
              HasSubstr("groups of 64 and 48 channels; expected one to be a multiple of the other"));
  const auto ws = shipped("edge", {"array.dataflow=ws", "accumulator.buffer.promote_every=0",
                                   "attention.accumulator.buffer.format=fp32", "head.accumulator.buffer.format=fp32"});
  EXPECT_EQ(problem("rtn(group=64)", ws), "");
  EXPECT_THAT(problem("rtn(group=48)", ws), HasSubstr("groups of 48 channels with array.dataflow = \"ws\" and columns "
                                                      "of 32 products"));
  const auto by_tensor = shipped("edge", {"array.activation_scale=tensor"});
  EXPECT_EQ(problem("rotate+rtn(group=64)", by_tensor), "");
  EXPECT_THAT(problem("rs", by_tensor), HasSubstr("runtime smoothing scales tokens; expected array.activation_scale"));
  EXPECT_THAT(problem("rtn(group=8,tensor)", edge), HasSubstr("rtn: got both tensor and group"));
}

TEST(VariantHardwareTest, CodesAreStoredWhereTheArrayMultipliesFloats) {
  const auto codes_of = [](const std::string& text, const units::AcceleratorConfig& accelerator) {
    transformer::Model<float> model = tests::random_models().front().build();
    transformer::Model<float> outlined = model;
    const calibration::Variant variant = calibration::parse_variant(text);
    const RunnableVariant runnable(variant, variant_hardware(variant, accelerator), {});
    runnable.apply(model);
    runnable.outline(outlined);
    EXPECT_EQ(outlined.ops, model.ops) << text;
    EXPECT_EQ(model.ops.back().codes, transformer::WeightCodes{}) << "the head is not quantized";
    return std::find_if(model.ops.begin(), model.ops.end(),
                        [](const transformer::Op& op) { return op.name == "layers.0.mlp.up"; })
        ->codes;
  };
  using Codes = transformer::WeightCodes;
  EXPECT_EQ(codes_of("none", shipped("edge")), Codes{});
  EXPECT_EQ(codes_of("w4a16", shipped("edge")), Codes{.bits = 4});
  EXPECT_EQ(codes_of("w3a16_fp16", shipped("edge")), (Codes{.bits = 3, .scaled_sums = true}));
  EXPECT_EQ(codes_of("rtn(group=16,asym)+w4a16", shipped("edge")),
            (Codes{.bits = 4, .group = 16, .zero_points = true}));
  EXPECT_EQ(codes_of("rtn(group=16)", shipped("fp16")), Codes{}) << "nothing is quantized to floats";
  EXPECT_EQ(codes_of("rtn(group=16)", shipped("edge")), (Codes{.bits = 4, .group = 16}));
}

}  // namespace
}  // namespace guardbit::sim
