#pragma once
/// safetensors files that must be refused, by the design's ids (ST-nn, GEN-nn); for the reader's own test and for
/// capture's.
#include <cstdint>
#include <cstring>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::tests {

/// A file of that header and that many data bytes, length field as given or right.
inline std::string file_bytes(std::string_view header, const std::string& data = {},
                              std::uint64_t claimed = UINT64_MAX) {
  const std::uint64_t header_bytes = claimed == UINT64_MAX ? header.size() : claimed;
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &header_bytes, 8);
  return bytes.append(header).append(data);
}

inline std::string zeros(std::size_t count) { return std::string(count, '\0'); }

/// A file that is refused with exit code 65.
struct MalformedCase {
  const char* id;
  std::string bytes;
  const char* message;  ///< essential part
};
inline void PrintTo(const MalformedCase& value, std::ostream* stream) { *stream << value.id; }

inline constexpr const char* kValidHeader = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

inline std::vector<MalformedCase> malformed_safetensors() {
  std::vector<MalformedCase> cases;
  const auto add = [&](const char* id, std::string bytes, const char* message) {
    cases.push_back({id, std::move(bytes), message});
  };
  /// One tensor "a" with the given dtype, shape and offsets over `num_data` bytes.
  const auto tensor = [&](const char* id, const std::string& dtype, const std::string& shape,
                          const std::string& offsets, std::size_t num_data, const char* message) {
    add(id,
        file_bytes(R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
                   zeros(num_data)),
        message);
  };
  add("GEN_01", "", "got 0 bytes; expected at least the 8");
  add("GEN_02", zeros(7), "got 7 bytes; expected at least the 8");
  add("GEN_04", file_bytes(kValidHeader, zeros(9)), "got 9 bytes of data; expected 8, the end of the last tensor");
  add("GEN_09_gguf", "GGUF" + zeros(20), "this is a GGUF file");
  add("GEN_09_zip", "PK\x03\x04" + zeros(20), "this is a ZIP archive");
  add("GEN_09_npy", "\x93NUMPY" + zeros(20), "this is a NumPy file");
  add("GEN_09_pickle", "\x80\x02" + std::string(20, 'x'), "this is a Python pickle");
  add("GEN_09_json", R"({"windows": []}      )", "this is perhaps a JSON file");
  add("GEN_09_lfs", "version https://git-lfs.github.com/spec/v1", "Git LFS pointer");
  add("ST_01", file_bytes(kValidHeader, zeros(8), std::strlen(kValidHeader) + 9),
      "got header length 63; expected 2..62");
  add("ST_02", file_bytes(kValidHeader, zeros(8), 100'000'001), "got header length 100000001");
  add("ST_03", std::string(8, '\xFF') + zeros(8), "got header length 18446744073709551615");
  add("ST_04", file_bytes("", zeros(8)), "got header length 0");
  add("ST_05", file_bytes(std::string(" ") + kValidHeader, zeros(8)), "does not begin with '{'");
  add("ST_05_bom", file_bytes(std::string("\xEF\xBB\xBF") + kValidHeader, zeros(8)), "does not begin with '{'");
  add("ST_06", file_bytes("{\"a\xC0\x80\":{}}"), "expected JSON");
  add("ST_06_value", file_bytes("{\"__metadata__\":{\"k\":\"\xED\xA0\x80\"}}"), "expected JSON");
  add("ST_07", file_bytes("{nonsense}"), "expected JSON");
  add("ST_07_trailing_comma", file_bytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],}})", zeros(8)),
      "expected JSON");
  add("ST_07_comment", file_bytes(R"({/* */})"), "expected JSON");
  add("ST_07_two_values", file_bytes(R"({}{})"), "expected JSON");
  add("ST_07_unfinished", file_bytes(R"({"a":{})"), "expected JSON");
  add("ST_08_newline", file_bytes(std::string(kValidHeader) + "\n", zeros(8)), "does not end with '}'");
  add("ST_08_nul", file_bytes(std::string(kValidHeader) + zeros(1), zeros(8)), "does not end with '}'");
  add("ST_09",
      file_bytes(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
          zeros(8)),
      ":/a: got key given twice");
  add("ST_09_escaped",
      file_bytes(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"\u0061":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
          zeros(8)),
      ":/a: got key given twice");
  add("ST_10_dtype", file_bytes(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(8)),
      ":/a/dtype: got key given twice");
  add("ST_10_shape", file_bytes(R"({"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}})", zeros(8)),
      ":/a/shape: got key given twice");
  add("ST_10_offsets",
      file_bytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8]}})", zeros(8)),
      ":/a/data_offsets: got key given twice");
  tensor("ST_11_negative", R"("F32")", "[-2]", "[0,8]", 8, ":/a/shape/0: got -2; expected an integer");
  tensor("ST_11_minus_zero", R"("F32")", "[-0]", "[0,0]", 0, ":/a/shape/0: got -0; expected an integer");
  tensor("ST_11_float", R"("F32")", "[2.0]", "[0,8]", 8, ":/a/shape/0: got 2.0; expected an integer");
  tensor("ST_11_exponent", R"("F32")", "[2]", "[0,8e0]", 8, ":/a/data_offsets/1: got 8e0; expected an integer");
  tensor("ST_11_string", R"("F32")", R"(["2"])", "[0,8]", 8, R"(:/a/shape/0: got "2"; expected an integer)");
  tensor("ST_11_big", R"("F32")", "[18446744073709551616]", "[0,8]", 8,
         ":/a/shape/0: got 18446744073709551616; expected an integer");
  tensor("ST_11_huge", R"("F32")", "[1e999]", "[0,8]", 8, "expected JSON");
  add("ST_12_null", file_bytes(R"({"a":null})"), ":/a: got null; expected an object");
  add("ST_12_bool", file_bytes(R"({"a":true})"), ":/a: got true; expected an object");
  add("ST_12_shape", file_bytes(R"({"a":{"dtype":"F32","shape":null,"data_offsets":[0,8]}})", zeros(8)),
      ":/a/shape: got null; expected an array");
  tensor("ST_13", R"("F32")", "[[2]]", "[0,8]", 8, ":/a/shape/0: got nesting deeper than 3");
  add("ST_13_deep", file_bytes("{\"a\":" + std::string(100'000, '[') + "}"), "got nesting deeper than 3");
  tensor("ST_14", R"("F32")", "[2]", "[8,0]", 8, ":/a/data_offsets/0: got 8; expected begin not above end");
  tensor("ST_15", R"("F32")", "[4]", "[0,16]", 8, ":/a/data_offsets/1: got 16; expected an integer in 0..8");
  add("ST_16",
      file_bytes(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
          zeros(12)),
      "tensor 'b': got data from byte 4; expected 8, the end of the one before (they overlap)");
  add("ST_16_same",
      file_bytes(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
          zeros(8)),
      "they overlap");
  add("ST_17",
      file_bytes(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}})",
          zeros(20)),
      "tensor 'b': got data from byte 12; expected 8, the end of the one before (there is a hole)");
  tensor("ST_17_start", R"("F32")", "[2]", "[4,12]", 12, "there is a hole");
  add("ST_18_short", file_bytes(kValidHeader, zeros(7)), ":/a/data_offsets/1: got 8; expected an integer in 0..7");
  add("ST_18_long", file_bytes(kValidHeader, zeros(16)), "got 16 bytes of data; expected 8");
  add("ST_18_no_tensor", file_bytes("{}", zeros(1)), "got 1 bytes of data; expected 0");
  tensor("ST_19", R"("F32")", "[3]", "[0,8]", 8,
         "tensor 'a': got 8 bytes by data_offsets; expected 12 bytes for shape [3] of F32");
  tensor("ST_19_scalar", R"("F32")", "[]", "[0,8]", 8, "expected 4 bytes for shape [] of F32");
  tensor("ST_20", R"("F32")", "[4294967296,4294967296]", "[0,8]", 8, "expected a product that fits in 64 bits");
  tensor("ST_21", R"("F32")", "[1152921504606846976]", "[0,8]", 8, "expected a product that fits in 64 bits");
  tensor("ST_22", R"("F4")", "[3]", "[0,2]", 2, "got 12 bits of F4; expected a whole number of bytes");
  tensor("ST_23", R"("F32")", "[9223372036854775808,4,0]", "[0,0]", 0, "expected a product that fits in 64 bits");
  tensor("ST_23_first", R"("F32")", "[0,9223372036854775808,4]", "[0,0]", 0, "expected a product that fits in 64 bits");
  tensor("ST_24", R"("F32")", "[1,1,1,1,1,1,1,1,2]", "[0,8]", 8,
         ":/a/shape: got an array of 9; expected at most 8 dimensions");
  tensor("ST_25_unknown", R"("F31")", "[2]", "[0,8]", 8, R"(:/a/dtype: got "F31"; expected one of: F64)");
  tensor("ST_25_case", R"("f32")", "[2]", "[0,8]", 8, R"(:/a/dtype: got "f32")");
  tensor("ST_25_type", "32", "[2]", "[0,8]", 8, ":/a/dtype: got 32; expected a string");
  add("ST_26_dtype", file_bytes(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", zeros(8)), ":/a/dtype: got nothing");
  add("ST_26_shape", file_bytes(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", zeros(8)), ":/a/shape: got nothing");
  add("ST_26_offsets", file_bytes(R"({"a":{"dtype":"F32","shape":[2]}})", zeros(8)), ":/a/data_offsets: got nothing");
  add("ST_26_extra", file_bytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"stride":[1]}})", zeros(8)),
      ":/a/stride: got an unknown key");
  tensor("ST_27_one", R"("F32")", "[2]", "[0]", 8, ":/a/data_offsets: got an array of 1; expected two numbers");
  tensor("ST_27_three", R"("F32")", "[2]", "[0,8,8]", 8, ":/a/data_offsets: got an array of 3; expected two numbers");
  add("ST_28_number", file_bytes(R"({"__metadata__":{"k":1}})"), ":/__metadata__/k: got 1; expected a string");
  add("ST_28_null", file_bytes(R"({"__metadata__":null})"), ":/__metadata__: got null; expected an object");
  add("ST_29_twice", file_bytes(R"({"__metadata__":{},"__metadata__":{}})"), ":/__metadata__: got key given twice");
  add("ST_29_tensor", file_bytes(R"({"__metadata__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(8)),
      ":/__metadata__/data_offsets: got an array of 2; expected a string");
  add("ST_30_empty", file_bytes(R"({"":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(8)),
      "of 0 bytes; expected 1..4096 bytes");
  add("ST_30_long",
      file_bytes("{\"" + std::string(4097, 'n') + R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(8)),
      "of 4097 bytes");
  add("ST_30_nul", file_bytes(R"({"a\u0000":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(8)),
      "without control characters");
  add("ST_30_escape", file_bytes(R"({"a\u001b[2J":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(8)),
      "without control characters");
  add("ST_30_surrogate", file_bytes(R"({"a\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", zeros(8)),
      "expected JSON");
  return cases;
}

}  // namespace guardbit::tests
