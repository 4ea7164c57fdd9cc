#include "sim/sweep/point_file.h"

#include <fmt/format.h>

#include <array>

#include "models/numerics/check.h"
#include "sim/base/sha256.h"
#include "sim/sweep/design_space.h"

namespace guardbit::sim {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"\"point\":", "\"result\":", "\"provenance\":"};

std::string render(const std::string& key, const std::string& point, const std::string& result,
                   const std::string& provenance, std::string& result_sha256) {
  result_sha256 = sha256_hex(result);
  const std::string checksum = sha256_hex(key + "\n" + result + "\n" + provenance + "\n");
  return fmt::format(
      "{{\"schema\":\"{}\",\"key\":\"{}\",\"result_sha256\":\"{}\",\"checksum\":\"{}\",\n{}{},\n{}{},\n{}{}}}\n",
      kPointSchema, key, result_sha256, checksum, kNames[0], point, kNames[1], result, kNames[2], provenance);
}

}  // namespace

std::string point_text(const std::string& key, const std::string& point, const std::string& result,
                       const std::string& provenance) {
  GUARDBIT_CHECK(sha256_hex(point) == key, "a point's key is the hash of its description");
  std::string result_sha256;
  return render(key, point, result, provenance, result_sha256);
}

std::string read_point(std::string_view text, const std::string& key, PointFile& file) {
  if (text.empty()) return "got an empty file; expected a point";
  const std::string schema = fmt::format("{{\"schema\":\"{}\",", kPointSchema);
  constexpr std::string_view kAnySchema = "{\"schema\":\"";
  if (text.starts_with(kAnySchema) && !text.starts_with(schema)) {
    const std::size_t end = text.find('"', kAnySchema.size());
    return fmt::format("got schema \"{}\"; expected \"{}\"; made by another version of guardbit?",
                       text.substr(kAnySchema.size(), std::min<std::size_t>(end - kAnySchema.size(), 40)),
                       kPointSchema);
  }
  std::array<std::string, 3> parts;
  std::size_t begin = text.find('\n');
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const std::size_t end = begin == std::string_view::npos ? begin : text.find('\n', begin + 1);
    if (end == std::string_view::npos) return "got a truncated file; expected four lines";
    const std::string_view line = text.substr(begin + 1, end - begin - 1);
    if (!line.starts_with(kNames[part])) return fmt::format("got another line {}; expected {}", part + 2, kNames[part]);
    parts[part] = line.substr(kNames[part].size(), line.size() - kNames[part].size() - 1);  // without comma or brace
    begin = end;
  }
  if (text.find(fmt::format("\"key\":\"{}\"", key)) != schema.size()) {
    return "got the key of another point; expected its own";
  }
  if (sha256_hex(parts[0]) != key) return "got an edited point; expected the one whose SHA-256 is the key";
  file = {key, std::move(parts[0]), std::move(parts[1]), std::move(parts[2]), ""};
  if (render(key, file.point, file.result, file.provenance, file.result_sha256) != text) {
    return "the checksum does not hold: edited or damaged";
  }
  return "";
}

}  // namespace guardbit::sim
