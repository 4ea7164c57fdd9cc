// `guardbit quantize` into block formats and integers: what lies in the file is what models/numerics makes of the
// input, and what a hand computes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "models/numerics/block_format.h"
#include "models/numerics/codec.h"
#include "tests/support/npy_writer.h"
#include "tests/support/run_guardbit.h"

namespace guardbit::tests {
namespace {

using numerics::Event;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

/// A tensor of a safetensors file.
struct Part {
  std::string dtype;
  std::string shape;
  std::string bytes;
};

/// All tensors of a file by name; "__metadata__" has the metadata in `shape`.
std::map<std::string, Part> parts_of(const std::filesystem::path& path) {
  const std::string file = content_of(path);
  std::uint64_t num_header_bytes = 0;
  std::memcpy(&num_header_bytes, file.data(), sizeof num_header_bytes);
  const Json header = Json::parse(file.substr(8, num_header_bytes));
  std::map<std::string, Part> parts;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      parts[name] = {"", entry.dump(), ""};
      continue;
    }
    const auto begin = entry["data_offsets"][0].get<std::size_t>();
    const auto end = entry["data_offsets"][1].get<std::size_t>();
    parts[name] = {entry["dtype"], entry["shape"].dump(), file.substr(8 + num_header_bytes + begin, end - begin)};
  }
  return parts;
}

std::string bytes(const std::vector<int>& codes) {
  std::string text;
  for (const int code : codes) text += static_cast<char>(code);
  return text;
}

class QuantizeFormatsTest : public testing::Test {
 protected:
  std::string write(const std::vector<float>& values, const std::string& shape) {
    return directory_.write("x.npy", npy_file(npy_header("<f4", shape), raw_bytes(values))).string();
  }
  /// Report and tensors of one run.
  std::pair<Json, std::map<std::string, Part>> quantize(const std::string& arguments) {
    const std::filesystem::path output = directory_ / "out.safetensors";
    const CommandResult result = run_guardbit("quantize " + arguments + " --format json -o " + output.string());
    EXPECT_EQ(result.status, 0) << arguments << "\n" << result.err;
    if (result.status != 0) return {};
    return {Json::parse(result.out), parts_of(output)};
  }
  TemporaryDirectory directory_;
};

TEST_F(QuantizeFormatsTest, Mxfp4ByHand) {
  // Codes 0..7 are 0, 0.5, 1, 1.5, 2, 3, 4, 6. First line: amax 6, scale 2^(2 - 2), code 127. Second: amax 44, scale
  // 2^(5 - 2), code 130: 44 / 8 = 5.5 -> 6, 2 / 8 = 0.25 is a tie -> 0, -12 / 8 = -1.5, 7.5 beyond 6 is clamped.
  const std::string input = write({6, 3, -1, 0.26F, 44, 2, -12, 60}, "(2, 4)");
  const auto [json, parts] = quantize(input + " --format mxfp4_e2m1");
  EXPECT_EQ(parts.at("tensor").bytes, bytes({7, 5, 0xA, 1, 7, 0, 0xB, 7}));
  EXPECT_EQ(parts.at("tensor").shape, "[2,4]");
  EXPECT_EQ(parts.at("tensor.scale").bytes, bytes({127, 130}));
  EXPECT_EQ(parts.at("tensor.scale").shape, "[2,1]");
  EXPECT_EQ(parts.at("tensor.scale").dtype, "U8");
  const Json& tensor = json["tensors"][0];
  EXPECT_EQ(tensor["events"]["clipped"], 1);
  EXPECT_EQ(tensor["events"]["zeroed"], 1);
  EXPECT_EQ(tensor["scales"].dump(), R"({"count":2,"min":1.0,"max":8.0})");
  EXPECT_EQ(tensor["error"]["max_abs"], 12.0) << "60 - 6 * 8";
  EXPECT_THAT(parts.at("__metadata__").shape, HasSubstr(R"("guardbit.block_size":"32")"));
  EXPECT_THAT(parts.at("__metadata__").shape, HasSubstr(R"-("guardbit.value":"float(code) * 2^(scale - 127)")-"));
}

TEST_F(QuantizeFormatsTest, Nvfp4ByHand) {
  // amax 2688 = 6 * 448: tensor scale 1, first block's scale 448 (7E). The second block of 16 has amax 12: scale 2
  // (40).
  std::vector<float> values(18, 0.0F);
  values[0] = 2688, values[1] = -1344, values[16] = 12, values[17] = -1;
  const auto [json, parts] = quantize(write(values, "(18,)") + " --format nvfp4");
  std::vector<int> codes(18, 0);
  codes[0] = 7, codes[1] = 0xD, codes[16] = 7, codes[17] = 9;
  EXPECT_EQ(parts.at("tensor").bytes, bytes(codes));
  EXPECT_EQ(parts.at("tensor.scale").bytes, bytes({0x7E, 0x40}));
  EXPECT_EQ(parts.at("tensor.tensor_scale").bytes, raw_bytes<float>({1}));
  EXPECT_EQ(json["tensors"][0]["tensor_scale"], 1.0);
  EXPECT_EQ(json["tensors"][0]["error"]["exact"], 18);
  EXPECT_TRUE(json["tensors"][0]["error"]["sqnr_db"].is_null()) << "no error";

  values[16] = values[17] = 1e-3F;  // 1e-3 / 6 is below half of 2^-9, the least scale
  const auto [small, small_parts] = quantize(write(values, "(18,)") + " --format nvfp4");
  EXPECT_EQ(small_parts.at("tensor.scale").bytes, bytes({0x7E, 0}));
  EXPECT_EQ(small["tensors"][0]["events"]["zeroed"], 2);
  EXPECT_EQ(small["tensors"][0]["below_range"], 2);
}

/// Heavy-tailed values with zeros, in rows of 37 columns: one full block of 32 and a shorter one.
std::vector<float> mixed_values(std::size_t count) {
  std::mt19937 random(5);
  std::vector<float> values(count);
  for (float& value : values) {
    value = std::ldexp(static_cast<float>(random() % 4096), static_cast<int>(random() % 20) - 20);
    if (random() % 2 == 0) value = -value;
  }
  return values;
}

TEST_F(QuantizeFormatsTest, EveryBlockFormatIsTheReferencesAlongEitherAxis) {
  constexpr std::size_t kRows = 35, kCols = 37;
  std::vector<float> values = mixed_values(kRows * kCols);
  values[40] = std::nanf("");
  values[100] = HUGE_VALF;
  const std::string input = write(values, "(35, 37)");
  float amax = 0;
  for (const float value : values) amax = std::isfinite(value) ? std::max(amax, std::fabs(value)) : amax;
  for (const numerics::NamedBlockFormat& named : numerics::kBlockFormats) {
    const numerics::BlockFormat& format = named.format;
    const bool has_tensor_scale = format.scale == numerics::BlockScale::kE4M3;
    const float tensor_scale = has_tensor_scale ? numerics::nvfp4_tensor_scale(amax) : 1.0F;
    const auto block_size = static_cast<std::size_t>(format.block_size);
    for (const bool down : {false, true}) {
      const std::string rounding = down ? "rtz" : "rne";
      const std::string options =
          input + " --format " + std::string(named.name) + " --rounding " + rounding + (down ? " --axis 0" : "");
      const auto [json, parts] = quantize(options);
      const auto carrier = quantize(options + " --carrier").second;
      const std::size_t length = down ? kRows : kCols, num_lines = down ? kCols : kRows;
      const std::size_t num_blocks = (length + block_size - 1) / block_size;
      std::string codes(values.size(), '\0'), scales(num_lines * num_blocks, '\0');
      std::vector<float> carriers(values.size());
      numerics::EventCounts events;
      for (std::size_t line = 0; line < num_lines; ++line) {
        for (std::size_t block = 0; block < num_blocks; ++block) {
          std::vector<std::size_t> places;
          for (std::size_t j = block * block_size; j < std::min(length, (block + 1) * block_size); ++j) {
            places.push_back(down ? j * kCols + line : line * kCols + j);
          }
          std::vector<float> elements;
          for (const std::size_t place : places) elements.push_back(values[place]);
          const auto quantized = numerics::quantize_block(
              elements, format, {.rounding = *numerics::parse_rounding(rounding)}, tensor_scale, events);
          scales[down ? block * kCols + line : line * num_blocks + block] = static_cast<char>(quantized.scale);
          for (std::size_t i = 0; i < places.size(); ++i) {
            codes[places[i]] = static_cast<char>(quantized.codes[i]);
            carriers[places[i]] =
                static_cast<float>(numerics::dequantize(quantized.codes[i], quantized.scale, format, tensor_scale));
          }
        }
      }
      EXPECT_EQ(parts.at("tensor").bytes, codes) << options;
      EXPECT_EQ(parts.at("tensor.scale").bytes, scales) << options;
      EXPECT_EQ(parts.contains("tensor.tensor_scale"), has_tensor_scale);
      EXPECT_EQ(parts.at("tensor").dtype, named.name == "mxint8" ? "I8" : "U8");
      std::vector<float> delivered(carriers.size());
      std::memcpy(delivered.data(), carrier.at("tensor").bytes.data(), carrier.at("tensor").bytes.size());
      for (std::size_t i = 0; i < carriers.size(); ++i) {
        EXPECT_TRUE(delivered[i] == carriers[i] || (std::isnan(delivered[i]) && std::isnan(carriers[i])))
            << options << " " << i;
      }
      for (std::size_t e = 0; e < numerics::kNumEvents; ++e) {
        EXPECT_EQ(json["tensors"][0]["events"][std::string(numerics::kEventNames[e])], events.counts[e])
            << options << " " << numerics::kEventNames[e];
      }
      EXPECT_EQ(json["tensors"][0]["scales"]["count"], num_lines * num_blocks);
    }
  }
}

TEST_F(QuantizeFormatsTest, StochasticBlocksDependOnTheSeedOnly) {
  const std::string input = write(mixed_values(6400), "(10, 16, 40)");
  const auto codes = [&](const std::string& options) {
    return quantize(input + " --format mxfp6_e2m3 --rounding stochastic " + options).second.at("tensor").bytes;
  };
  const std::string expected = codes("--seed 3 --threads 1");
  EXPECT_EQ(codes("--seed 3 --threads 2"), expected);
  EXPECT_NE(codes("--seed 4"), expected);
  EXPECT_EQ(codes("--axis 1 --seed 3 --threads 1"), codes("--axis -2 --seed 3 --threads 2"));
  EXPECT_EQ(quantize(input + " --format mxfp6_e2m3 --axis 1").second.at("tensor.scale").shape, "[10,1,40]");
}

TEST_F(QuantizeFormatsTest, UnsignedIntegersHaveAZeroPoint) {
  // lo = -1, hi = 2: scale 3 / 3, zero point 1. lo = 0 (all are positive), hi = 6: scale 2, zero point 0.
  const std::string input = write({-1, 0, 1, 2, 3, 5, 6, 1}, "(2, 4)");
  const auto [json, parts] = quantize(input + " --format uint2 --scale row");
  EXPECT_EQ(parts.at("tensor").bytes, bytes({0, 1, 2, 3, 2, 2, 3, 0})) << "1.5 and 2.5 to even";
  EXPECT_EQ(parts.at("tensor.scale").bytes, raw_bytes<float>({1, 2}));
  EXPECT_EQ(parts.at("tensor.zero_point").bytes, bytes({1, 0}));
  const Json& tensor = json["tensors"][0];
  EXPECT_EQ(tensor["zero_points"].dump(), R"({"min":0,"max":1})");
  EXPECT_EQ(tensor["events"]["zeroed"], 1) << "1 / 2 is a tie: 0";
  EXPECT_EQ(tensor["events"]["inexact"], 3);
  EXPECT_EQ(tensor["events"]["clipped"], 0);
  const auto carrier = quantize(input + " --format uint2 --scale row --carrier").second;
  EXPECT_EQ(carrier.at("tensor").bytes, raw_bytes<float>({-1, 0, 1, 2, 4, 4, 6, 0}));

  // The tensor's range is -1 .. 6: scale fp32(7 / 255), zero point rne(255 / 7) = 36.
  const auto whole = quantize(input + " --format uint8 --scale tensor").second;
  EXPECT_EQ(whole.at("tensor.scale").bytes, raw_bytes<float>({7.0F / 255.0F}));
  EXPECT_EQ(whole.at("tensor.zero_point").bytes, bytes({36}));
  EXPECT_EQ(whole.at("tensor").bytes.substr(0, 2), bytes({0, 36})) << "-36.43 + 36 = -0.43";
  // 7 / 255 = 0.0275, rounded up to 2^-5.
  EXPECT_EQ(quantize(input + " --format uint8 --scale pow2").second.at("tensor.scale").bytes,
            raw_bytes<float>({0x1p-5F}));

  // Without a scale codes are the numbers themselves.
  const auto [plain, plain_parts] = quantize(write({-1, 0.4F, 2.5F, 300}, "(4,)") + " --format uint8");
  EXPECT_EQ(plain_parts.at("tensor").bytes, bytes({0, 0, 2, 255}));
  EXPECT_EQ(plain["tensors"][0]["events"]["clipped"], 2);
  EXPECT_FALSE(plain_parts.contains("tensor.zero_point"));
}

TEST_F(QuantizeFormatsTest, WideIntegersHaveWideCodes) {
  const std::string input = write({-1, 0.5F, 1, 3e9F}, "(4,)");
  EXPECT_EQ(quantize(input + " --format int12").second.at("tensor").bytes, raw_bytes<std::int16_t>({-1, 0, 1, 2047}));
  EXPECT_EQ(quantize(input + " --format int32").second.at("tensor").bytes,
            raw_bytes<std::int32_t>({-1, 0, 1, 2147483647}));
  EXPECT_EQ(quantize(input + " --format uint32").second.at("tensor").bytes,
            raw_bytes<std::uint32_t>({0, 0, 1, 3000000000}));
  const auto [json, parts] = quantize(write({-2, 1, 0.5F}, "(3,)") + " --format int16 --scale tensor");
  EXPECT_EQ(parts.at("tensor.scale").bytes, raw_bytes<float>({2.0F / 32767.0F}));
  EXPECT_EQ(parts.at("tensor").bytes, raw_bytes<std::int16_t>({-32767, 16384, 8192})) << "16383.5 and 8191.75";
  const double relative = json["tensors"][0]["error"]["relative_rms"];
  EXPECT_NEAR(json["tensors"][0]["error"]["sqnr_db"].get<double>(), -20 * std::log10(relative), 1e-3);
}

TEST_F(QuantizeFormatsTest, NamesOfScalesMustBeFree) {
  std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("w.scale":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  const std::string input =
      directory_.write("w.safetensors", raw_bytes<std::uint64_t>({header.size()}) + header + raw_bytes<float>({1, 2}))
          .string();
  const std::string output = " -o " + (directory_ / "o.safetensors").string();
  const CommandResult result = run_guardbit("quantize " + input + " --format mxfp8_e4m3" + output);
  EXPECT_EQ(result.status, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("got a tensor 'w.scale', the name of another one's scales"));
  EXPECT_EQ(run_guardbit("quantize " + input + " --tensor w --format mxfp8_e4m3" + output).status, 0);
  EXPECT_EQ(run_guardbit("quantize " + input + " --tensor w --tensor w --format fp16" + output).status, 2);
}

}  // namespace
}  // namespace guardbit::tests
