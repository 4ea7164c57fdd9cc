#include "sim/regress/golden_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/numerics/float_format.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/base/sha256.h"
#include "sim/regress/packed_bytes.h"
#include "sim/regress/tensor_recorder.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSealBegin = "\"sha256\":\"";
constexpr std::string_view kSealEnd = "\"}\n";
constexpr std::size_t kSealBytes = kSealBegin.size() + 64 + kSealEnd.size();
constexpr std::size_t kMaxTextBytesInFile = std::size_t{1} << 30;  // far above what a golden's own limits allow
constexpr std::uint64_t kMaxCount = UINT64_MAX;
constexpr std::uint64_t kMaxExtent = std::uint64_t{1} << 31;

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json to_json(const std::vector<WindowShape>& windows) {
  Json json = Json::array();
  for (const WindowShape& window : windows) json.push_back({window.rows, window.cols});
  return json;
}

std::string op_line(const OpGolden& op) {
  const TensorGolden& output = op.output;
  const int code_bytes = code_bytes_of(*numerics::parse_float_format(output.format));
  return line_of(Json{{"name", op.name},
                      {"kind", op.kind},
                      {"sha256", output.sha256},
                      {"events", op.events},
                      {"cycles", op.cycles},
                      {"format", output.format},
                      {"windows", to_json(output.windows)},
                      {"row_digests", to_base64(output.row_digests)},
                      {"num_codes", output.codes.size()},
                      {"codes", to_base64(pack_codes(output.codes, code_bytes))}});
}

std::string variant_text(const VariantGolden& variant) {
  std::string text = line_of(Json{{"name", variant.name},
                                  {"digest", variant.digest},
                                  {"perplexity", variant.perplexity},
                                  {"cycles", variant.cycles}});
  text.back() = ',';
  text += "\n\"ops\":[\n";
  for (const OpGolden& op : variant.ops) text += op_line(op) + (&op == &variant.ops.back() ? "\n" : ",\n");
  return text + "]}";
}

[[noreturn]] void refuse(const std::filesystem::path& file, std::string_view problem) {
  throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", file.string(), problem));
}

/// The version stands in the file's first bytes, whatever follows.
void check_schema(std::string_view text, const std::filesystem::path& file) {
  constexpr std::string_view kBegin = "{\"schema\":\"guardbit-golden/";
  if (!text.starts_with(kBegin)) refuse(file, "is no golden of guardbit regress; expected one that it recorded");
  const std::string_view version = text.substr(kBegin.size(), text.find('"', kBegin.size()) - kBegin.size());
  if (version == kGoldenSchema.substr(kGoldenSchema.find('/') + 1)) return;
  refuse(file, fmt::format("schema: got \"guardbit-golden/{}\"; expected \"{}\"; record it again with this version",
                           version.substr(0, 20), kGoldenSchema));
}

void check_seal(std::string_view text, const std::filesystem::path& file) {
  const std::string_view seal = text.size() < kSealBytes ? "" : text.substr(text.size() - kSealBytes);
  if (!seal.starts_with(kSealBegin) || !seal.ends_with(kSealEnd)) {
    refuse(file, "ends before its last line, \"sha256\"; expected a whole file: record it again");
  }
  const std::string_view stated = seal.substr(kSealBegin.size(), 64);
  if (sha256_hex(text.substr(0, text.size() - kSealBytes)) == stated) return;
  refuse(file, "its content is not what its last line, \"sha256\", states: edited or damaged; record it again");
}

std::map<std::string, std::uint64_t> read_counts(const JsonCursor& cursor) {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [name, count] : cursor.members()) counts[name] = count.unsigned_in(0, kMaxCount);
  return counts;
}

/// Text that may be empty.
std::string read_text(const JsonCursor& cursor) {
  if (!cursor.exists()) return {};
  if (cursor.value().kind == JsonValue::Kind::kString) return cursor.value().text;
  cursor.expected("a string");
  return {};
}

std::string read_bytes(const JsonCursor& cursor) {
  const std::optional<std::string> bytes = from_base64(read_text(cursor));
  if (!bytes) cursor.expected("base64");
  return bytes.value_or("");
}

std::uint64_t num_digests(const std::vector<WindowShape>& windows, const GoldenLimits& limits) {
  std::uint64_t count = 0;
  for (const WindowShape& window : windows) {
    count += (window.rows + limits.rows_per_digest - 1) / limits.rows_per_digest;
  }
  return count;
}

TensorGolden read_tensor(const JsonCursor& op, const GoldenLimits& limits) {
  TensorGolden output;
  output.sha256 = op.at("sha256").sha256();
  const JsonCursor format_name = op.at("format");
  output.format = format_name.string();
  const auto format = numerics::parse_float_format(output.format);
  if (!format) format_name.expected("a float format");
  for (const JsonCursor& window : op.at("windows").items()) {
    const std::vector<JsonCursor> extents = window.items();
    if (extents.size() != 2) {
      window.expected("[rows, columns]");
      continue;
    }
    output.windows.push_back({extents[0].unsigned_in(0, kMaxExtent), extents[1].unsigned_in(0, kMaxExtent)});
  }
  const JsonCursor digests = op.at("row_digests");
  output.row_digests = read_bytes(digests);
  const std::uint64_t expected = num_digests(output.windows, limits);
  if (output.row_digests.size() / kRowDigestBytes != expected || output.row_digests.size() % kRowDigestBytes != 0) {
    digests.expected(fmt::format("{} digests of {} bytes", expected, kRowDigestBytes));
  }
  const std::uint64_t num_codes = op.at("num_codes").unsigned_in(0, kMaxKeptBytesPerOp);
  const JsonCursor codes = op.at("codes");
  const int code_bytes = code_bytes_of(format.value_or(numerics::kFp32));
  auto unpacked = unpack_codes(read_bytes(codes), num_codes, code_bytes);
  if (!unpacked) codes.expected(fmt::format("{} codes", num_codes));
  output.codes = std::move(unpacked).value_or(std::vector<std::uint32_t>{});
  return output;
}

OpGolden read_op(const JsonCursor& cursor, const GoldenLimits& limits) {
  cursor.allow_only(
      {"name", "kind", "sha256", "events", "cycles", "format", "windows", "row_digests", "num_codes", "codes"});
  OpGolden op;
  op.name = cursor.at("name").string();
  op.kind = cursor.at("kind").string();
  op.output = read_tensor(cursor, limits);
  op.events = read_counts(cursor.at("events"));
  op.cycles = read_counts(cursor.at("cycles"));
  return op;
}

VariantGolden read_variant(const JsonCursor& cursor, const GoldenLimits& limits) {
  cursor.allow_only({"name", "digest", "perplexity", "cycles", "ops"});
  VariantGolden variant;
  variant.name = cursor.at("name").string();
  variant.digest = cursor.at("digest").sha256();
  variant.perplexity = read_text(cursor.at("perplexity"));
  variant.cycles = read_counts(cursor.at("cycles"));
  for (const JsonCursor& op : cursor.at("ops").items()) variant.ops.push_back(read_op(op, limits));
  return variant;
}

}  // namespace

std::string golden_text(const CaseGolden& golden) {
  std::string text = fmt::format("{{\"schema\":\"{}\",\n", kGoldenSchema);
  text += fmt::format("\"case\":{},\n", line_of(golden.name));
  text += fmt::format("\"rows_per_digest\":{},\n\"kept_rows_per_op\":{},\n\"kept_bytes_per_op\":{},\n",
                      golden.limits.rows_per_digest, golden.limits.kept_rows_per_op, golden.limits.kept_bytes_per_op);
  text += fmt::format("\"inputs\":{},\n\"variants\":[\n", golden.inputs.empty() ? "{}" : Json(golden.inputs).dump(0));
  for (const VariantGolden& variant : golden.variants) {
    text += variant_text(variant) + (&variant == &golden.variants.back() ? "\n" : ",\n");
  }
  text += "],\n";
  return text + std::string(kSealBegin) + sha256_hex(text) + std::string(kSealEnd);
}

CaseGolden parse_golden(std::string_view text, const std::filesystem::path& file) {
  check_schema(text, file);
  check_seal(text, file);
  const JsonValue document = parse_json(text, file);
  JsonProblems problems(file);
  const JsonCursor root(document, problems);
  root.allow_only(
      {"schema", "case", "rows_per_digest", "kept_rows_per_op", "kept_bytes_per_op", "inputs", "variants", "sha256"});
  CaseGolden golden;
  golden.name = root.at("case").string();
  golden.limits.rows_per_digest = root.at("rows_per_digest").unsigned_in(1, kMaxRowsPerDigest);
  golden.limits.kept_rows_per_op = root.at("kept_rows_per_op").unsigned_in(0, kMaxKeptRowsPerOp);
  golden.limits.kept_bytes_per_op = root.at("kept_bytes_per_op").unsigned_in(0, kMaxKeptBytesPerOp);
  for (const auto& [key, value] : root.at("inputs").members()) golden.inputs[key] = read_text(value);
  for (const JsonCursor& variant : root.at("variants").items()) {
    golden.variants.push_back(read_variant(variant, golden.limits));
  }
  problems.throw_if_any();
  return golden;
}

CaseGolden read_golden(const std::filesystem::path& file) {
  return parse_golden(read_file(file, kMaxTextBytesInFile), file);
}

}  // namespace guardbit::sim
