#include "sim/regress/result_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/report/replay_json.h"
#include "sim/report/replay_reader_parts.h"
#include "sim/report/text_table.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using Kind = JsonValue::Kind;
/// Scalars and their places, arrays' in the order of the document.
using Flat = std::vector<std::pair<std::string, const JsonValue*>>;

bool is_scalar(const JsonValue& value) { return value.kind != Kind::kArray && value.kind != Kind::kObject; }

/// What tells an element of an array from the others: its name, else its texts in the order of their keys.
std::string key_of(const JsonValue& element, std::size_t index) {
  if (element.kind != Kind::kObject) return std::to_string(index);
  if (const auto name = element.members.find("name"); name != element.members.end()) return name->second.text;
  std::string key;
  for (const auto& [member, value] : element.members) {
    if (value.kind == Kind::kString) key += (key.empty() ? "" : "/") + value.text;
  }
  return key.empty() ? std::to_string(index) : key;
}

/// No recursion: how deep a document may be is its reader's business. A stack, so what comes first is pushed last.
Flat flatten(const std::string& root_place, const JsonValue& root) {
  Flat flat;
  Flat open = {{root_place, &root}};
  while (!open.empty()) {
    const auto [place, value] = open.back();
    open.pop_back();
    if (is_scalar(*value)) flat.emplace_back(place, value);
    const std::string prefix = place.empty() ? "" : place + ".";
    for (std::size_t i = value->items.size(); i-- > 0;) {
      open.emplace_back(prefix + key_of(value->items[i], i), &value->items[i]);
    }
    for (auto member = value->members.rbegin(); member != value->members.rend(); ++member) {
      open.emplace_back(prefix + member->first, &member->second);
    }
  }
  return flat;
}

std::string shown(const JsonValue& value) { return value.kind == Kind::kString ? value.text : describe(value); }

bool same(const JsonValue& a, const JsonValue& b) { return a.kind == b.kind && shown(a) == shown(b); }

/// What an absent number stands for: reports leave out counts of zero.
std::string absent(const std::string& place) {
  const bool is_count =
      place.find(".stages.") != std::string::npos || place.starts_with("purposes.") || place.starts_with("stalls.");
  return is_count ? "0" : "-";
}

std::vector<ResultDifference> differences_of(const Flat& a, const Flat& b) {
  std::vector<ResultDifference> differences;
  std::map<std::string, const JsonValue*> others(b.begin(), b.end());
  for (const auto& [place, value] : a) {
    const auto other = others.find(place);
    if (other == others.end()) {
      differences.push_back({place, shown(*value), absent(place)});
      continue;
    }
    if (!same(*value, *other->second)) differences.push_back({place, shown(*value), shown(*other->second)});
    others.erase(other);
  }
  for (const auto& [place, value] : b) {
    if (others.contains(place)) differences.push_back({place, absent(place), shown(*value)});
  }
  return differences;
}

/// An op's event totals are the sums of its stages', which are compared.
bool repeats_stages(const std::string& place) {
  return place.starts_with("ops.") && place.find(".events.") != std::string::npos;
}

/// Says what a file holds beside the variant: what an overhead is more than the variant none's, if that was replayed
/// too.
bool is_against_none(const std::string& place) {
  return place.starts_with("overheads.") && place.ends_with(".against_none");
}

JsonValue read_result(const fs::path& path) {
  std::error_code error;
  const fs::path file = fs::is_directory(path, error) ? path / "result.json" : path;
  JsonValue document = parse_json(read_file(file), file);
  JsonProblems problems(file);
  const JsonCursor root(document, problems);
  require_schema(root, problems, kReplaySchema);
  for (const JsonCursor& variant : root.at("variants").items()) (void)variant.at("name").string();
  for (const char* key : {"trace", "accelerator"}) (void)root.at(key).members();
  problems.throw_if_any();
  return document;
}

Flat inputs_of(const JsonValue& result) {
  Flat inputs;
  for (const char* section : {"trace", "accelerator"}) {
    const Flat part = flatten(section, result.members.at(section));
    inputs.insert(inputs.end(), part.begin(), part.end());
  }
  return inputs;
}

std::map<std::string, const JsonValue*> variants_of(const JsonValue& result) {
  std::map<std::string, const JsonValue*> variants;
  for (const JsonValue& variant : result.members.at("variants").items) {
    variants.emplace(variant.members.at("name").text, &variant);
  }
  return variants;
}

/// The subject of a place, in the order of the tables.
constexpr std::array<std::string_view, 7> kSubjects = {"results", "events", "events by place", "cycles by unit",
                                                       "stalls",  "ops",    "energy and more"};
std::size_t subject_of(const std::string& place) {
  if (place.find('.') == std::string::npos || place.starts_with("memory.") || place == "energy.total_pj") return 0;
  if (place.starts_with("events.")) return 1;
  if (place.starts_with("ops.")) return place.find(".stages.") != std::string::npos ? 2 : 5;
  if (place.starts_with("units.") || place.starts_with("purposes.") || place.starts_with("overheads.") ||
      place.starts_with("phases.")) {
    return 3;
  }
  return place.starts_with("stalls.") ? 4 : 6;
}

std::string short_text(const std::string& text) {
  constexpr std::size_t kShown = 40;
  return text.size() <= kShown ? text : text.substr(0, 12) + "...";
}

/// b - a of numbers, else "".
std::string change_text(const ResultDifference& difference) {
  char* end_a = nullptr;
  char* end_b = nullptr;
  const double a = std::strtod(difference.a.c_str(), &end_a);
  const double b = std::strtod(difference.b.c_str(), &end_b);
  const bool numbers = !difference.a.empty() && *end_a == '\0' && !difference.b.empty() && *end_b == '\0';
  const bool texts = difference.a == "-" || difference.b == "-" || difference.place.ends_with("sha256") ||
                     difference.place == "digest";
  if (!numbers || texts) return {};
  const bool whole = (difference.a + difference.b).find_first_of(".eE") == std::string::npos;
  return whole ? fmt::format("{:+.0f}", b - a) : fmt::format("{:+.6g}", b - a);
}

std::string table_text(const std::string& title, const std::vector<ResultDifference>& rows, std::size_t max_rows) {
  TextTable table({{title, TextTable::Align::kLeft}, {"A"}, {"B"}, {"change"}});
  const std::size_t shown_rows = max_rows == 0 ? rows.size() : std::min(rows.size(), max_rows);
  for (std::size_t i = 0; i < shown_rows; ++i) {
    table.add_row({rows[i].place, short_text(rows[i].a), short_text(rows[i].b), change_text(rows[i])});
  }
  std::string text = table.text();
  if (shown_rows < rows.size()) text += fmt::format("... and {} more (--all)\n", rows.size() - shown_rows);
  return text;
}

Json to_json(const std::vector<ResultDifference>& differences) {
  Json json = Json::array();
  for (const ResultDifference& difference : differences) {
    json.push_back({{"place", difference.place}, {"a", difference.a}, {"b", difference.b}});
  }
  return json;
}

}  // namespace

bool ResultComparison::equal() const {
  return only_a.empty() && only_b.empty() && std::all_of(variants.begin(), variants.end(), [](const Variant& variant) {
           return variant.differences.empty();
         });
}

ResultComparison compare_results(const fs::path& a, const fs::path& b) {
  const JsonValue result_a = read_result(a);
  const JsonValue result_b = read_result(b);
  ResultComparison comparison;
  comparison.inputs = differences_of(inputs_of(result_a), inputs_of(result_b));
  const auto variants_a = variants_of(result_a);
  const auto variants_b = variants_of(result_b);
  const bool both_have_none = variants_a.contains("none") && variants_b.contains("none");
  for (const JsonValue& variant : result_a.members.at("variants").items) {
    const std::string& name = variant.members.at("name").text;
    const auto other = variants_b.find(name);
    if (other == variants_b.end()) {
      comparison.only_a.push_back(name);
      continue;
    }
    std::vector<ResultDifference> differences = differences_of(flatten("", variant), flatten("", *other->second));
    std::erase_if(differences, [&](const ResultDifference& difference) {
      return repeats_stages(difference.place) || (!both_have_none && is_against_none(difference.place));
    });
    comparison.variants.push_back({name, std::move(differences)});
  }
  for (const auto& [name, variant] : variants_b) {
    if (!variants_a.contains(name)) comparison.only_b.push_back(name);
  }
  return comparison;
}

std::string comparison_text(const ResultComparison& comparison, std::size_t max_rows) {
  std::string text;
  if (!comparison.inputs.empty()) text += table_text("inputs", comparison.inputs, max_rows) + "\n";
  for (const ResultComparison::Variant& variant : comparison.variants) {
    if (variant.differences.empty()) {
      text += fmt::format("{}: equal\n\n", printable(variant.name));
      continue;
    }
    std::array<std::vector<ResultDifference>, kSubjects.size()> subjects;
    for (const ResultDifference& difference : variant.differences) {
      subjects[subject_of(difference.place)].push_back(difference);
    }
    for (std::size_t subject = 0; subject < kSubjects.size(); ++subject) {
      if (subjects[subject].empty()) continue;
      text += table_text(fmt::format("{}: {}", variant.name, kSubjects[subject]), subjects[subject], max_rows) + "\n";
    }
  }
  for (const std::string& name : comparison.only_a) text += fmt::format("{}: only in A\n", printable(name));
  for (const std::string& name : comparison.only_b) text += fmt::format("{}: only in B\n", printable(name));
  return text + (comparison.equal() ? "equal\n" : "different\n");
}

std::string comparison_json(const ResultComparison& comparison) {
  Json variants = Json::array();
  for (const ResultComparison::Variant& variant : comparison.variants) {
    variants.push_back({{"name", variant.name}, {"differences", to_json(variant.differences)}});
  }
  const Json json = {{"schema", "guardbit-compare/1"},       {"equal", comparison.equal()},
                     {"inputs", to_json(comparison.inputs)}, {"variants", std::move(variants)},
                     {"only_a", comparison.only_a},          {"only_b", comparison.only_b}};
  return dump(json, 2) + "\n";
}

}  // namespace guardbit::sim
