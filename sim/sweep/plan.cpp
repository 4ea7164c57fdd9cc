#include "sim/sweep/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "sim/base/error.h"
#include "sim/base/sha256.h"

namespace guardbit::sim {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kKeyDigits = 64;

OrderedJson header_of(const Plan& plan) {
  OrderedJson header = {{"schema", kPlanSchema},
                        {"name", plan.name},
                        {"numerics", plan.numerics_version},
                        {"source_sha256", plan.source_sha256},
                        {"tool_sha256", plan.tool_sha256},
                        {"macs", plan.macs},
                        {"points", plan.points.size()}};
  OrderedJson& accelerators = header["accelerators"] = OrderedJson::array();
  for (const SpaceAccelerator& accelerator : plan.space.accelerators) {
    accelerators.push_back({{"name", accelerator.name}, {"keys", accelerator.keys}});
  }
  OrderedJson& traces = header["traces"] = OrderedJson::array();
  for (const SpaceTrace& trace : plan.space.traces) {
    traces.push_back({{"name", trace.name}, {"directory", trace.directory}, {"sha256", trace.sha256}});
  }
  OrderedJson& axes = header["axes"] = OrderedJson::array();
  for (const SpaceAxis& axis : plan.space.axes) axes.push_back({{"key", axis.key}, {"values", axis.values}});
  return header;
}

struct PlanHeader {
  Plan plan;
  std::string num_points = {};  ///< as stated
};

PlanHeader read_header(std::string_view line) {
  const nlohmann::json header = nlohmann::json::parse(line);
  Plan plan;
  plan.name = header.at("name");
  plan.numerics_version = header.at("numerics");
  plan.source_sha256 = header.at("source_sha256");
  plan.tool_sha256 = header.at("tool_sha256");
  plan.macs = header.at("macs");
  for (const auto& accelerator : header.at("accelerators")) {
    plan.space.accelerators.push_back({accelerator.at("name"), accelerator.at("keys")});
  }
  for (const auto& trace : header.at("traces")) {
    plan.space.traces.push_back({trace.at("name"), trace.at("directory"), trace.at("sha256")});
  }
  for (const auto& axis : header.at("axes")) plan.space.axes.push_back({axis.at("key"), axis.at("values")});
  return {std::move(plan), header.at("points").dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

/// Every point has an accelerator, a trace and a variant.
bool has_axes_of_all_spaces(const std::vector<SpaceAxis>& axes) {
  constexpr std::array kKeys = {"accelerator", "trace", "variant"};
  return std::all_of(kKeys.begin(), kKeys.end(), [&](const char* key) {
    return std::count_if(axes.begin(), axes.end(), [&](const SpaceAxis& axis) { return axis.key == key; }) == 1;
  });
}

/// ["<key>",i,j,...]; false if the line is anything else.
bool read_point(std::string_view line, const std::vector<SpaceAxis>& axes, PlanPoint& point) {
  constexpr std::string_view kBegin = "[\"";
  if (!line.starts_with(kBegin) || line.size() < kBegin.size() + kKeyDigits + 1 || line.back() != ']') return false;
  point.key = line.substr(kBegin.size(), kKeyDigits);
  const char* at = line.data() + kBegin.size() + kKeyDigits;
  const char* const end = line.data() + line.size();
  if (*at++ != '"') return false;
  point.choice.resize(axes.size());
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    if (*at++ != ',') return false;
    const auto [stop, error] = std::from_chars(at, end, point.choice[axis]);
    if (error != std::errc{} || point.choice[axis] >= axes[axis].values.size()) return false;
    at = stop;
  }
  return at + 1 == end;
}

}  // namespace

std::string plan_text(const Plan& plan) {
  std::string text = header_of(plan).dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  for (const PlanPoint& point : plan.points) {
    text += "[\"" + point.key + "\"";
    for (const std::uint32_t index : point.choice) fmt::format_to(std::back_inserter(text), ",{}", index);
    text += "]\n";
  }
  return text + fmt::format("{{\"end\":true,\"sha256\":\"{}\"}}\n", sha256_hex(text));
}

Plan parse_plan(std::string_view text, const std::string& shown_path) {
  const auto malformed = [&](std::size_t line, const std::string& what) {
    return UserError(ExitCode::kMalformedInput, fmt::format("{}:{}: {}", shown_path, line, what));
  };
  const std::string schema = fmt::format("{{\"schema\":\"{}\",", kPlanSchema);
  if (!text.starts_with(schema)) {
    throw malformed(
        1, fmt::format("got another schema; expected {}; is the store of another version of guardbit?", kPlanSchema));
  }
  const std::size_t last = text.size() < 2 ? std::string_view::npos : text.rfind('\n', text.size() - 2);
  const std::string_view content = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
  if (text.substr(content.size()) != fmt::format("{{\"end\":true,\"sha256\":\"{}\"}}\n", sha256_hex(content))) {
    throw malformed(1, "the checksum in the last line does not hold: truncated or edited; plan the sweep again");
  }
  try {
    PlanHeader header = read_header(content.substr(0, content.find('\n')));
    Plan plan = std::move(header.plan);
    if (!has_axes_of_all_spaces(plan.space.axes)) {
      throw malformed(1, "got other axes; expected one each of accelerator, trace and variant");
    }
    const std::int64_t num_points = std::count(content.begin(), content.end(), '\n') - 1;
    if (header.num_points != std::to_string(num_points)) {
      throw malformed(1, fmt::format("got {} points; expected {}, a line each", header.num_points, num_points));
    }
    plan.points.reserve(static_cast<std::size_t>(num_points));
    std::size_t number = 2;
    for (std::size_t begin = content.find('\n') + 1; begin < content.size(); ++number) {
      const std::size_t end = content.find('\n', begin);
      const std::string_view line = content.substr(begin, end - begin);
      if (!read_point(line, plan.space.axes, plan.points.emplace_back())) {
        throw malformed(number, "got no point; expected [\"key\",index,...]");
      }
      begin = end + 1;
    }
    return plan;
  } catch (const nlohmann::json::exception& error) {
    throw malformed(1, error.what());
  }
}

std::string tool_sha256() { return sha256_of_file("/proc/self/exe"); }

}  // namespace guardbit::sim
