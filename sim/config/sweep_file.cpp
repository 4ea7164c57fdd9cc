#include "sim/config/sweep_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/base/sha256.h"
#include "sim/config/suggest.h"
#include "sim/config/sweep_range.h"
#include "sim/config/toml_text.h"

namespace guardbit::sim {
namespace {

std::uint32_t line_of(const toml::node& node) { return node.source().begin.line; }

/// "array.rows" of the nested array.rows and of the quoted "array.rows" alike.
std::string axis_key(const std::string& prefix, std::string_view name) {
  const bool dotted = std::all_of(name.begin(), name.end(), [](char c) { return c == '.' || is_bare_key({&c, 1}); });
  if (!dotted || name.empty()) return joined_key(prefix, name);
  return prefix.empty() ? std::string(name) : prefix + "." + std::string(name);
}

/// Reads one file; problems go to the result.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) {
    file_.shown_path = printable(path.string());
    file_.directory = path.parent_path();
    file_.name = printable(path.stem().string());
    const std::string text = read_file(path, kMaxConfigBytes);
    file_.sha256 = sha256_hex(text);
    root_ = parse_toml(text, file_.shown_path);
  }

  SweepFile read() {
    for (const auto& [name, node] : root_) read_top(std::string(name.str()), name.source().begin.line, node);
    std::stable_sort(numbered_.begin(), numbered_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [line, dimension] : numbered_) file_.dimensions.push_back(std::move(dimension));
    check_twins();
    return std::move(file_);
  }

 private:
  std::string place(std::uint32_t line) const { return fmt::format("{}:{}", file_.shown_path, line); }
  void problem(std::uint32_t line, const std::string& text) {
    file_.problems.push_back({0, line, fmt::format("{}: {}", place(line), text)});
  }
  void expected(const std::string& key, const toml::node& node, const std::string& what) {
    problem(line_of(node), fmt::format("{}: got {}; expected {}", key, as_written(to_value(node)), what));
  }

  void read_top(const std::string& name, std::uint32_t line, const toml::node& node) {
    static const std::vector<std::string> kNames = {"schema", "name", "accelerator", "trace", "variant", "set",
                                                    "replay", "axes", "zip",         "keep",  "sample",  "invalid"};
    if (name == "schema") {
      if (to_value(node) != ConfigValue(std::string(kSweepSchema))) {
        expected("schema", node,
                 fmt::format("\"{}\"; is the file made for another version of guardbit?", kSweepSchema));
      }
    } else if (name == "name") {
      if (const auto* text = node.as_string(); text != nullptr && !text->get().empty()) {
        file_.name = printable(text->get());
      } else {
        expected("name", node, "a text");
      }
    } else if (name == "accelerator" || name == "trace" || name == "variant") {
      add_single(name, line, node);
    } else if (name == "set") {
      read_table(name, node, [&](const toml::table& table) { read_fixed(table, ""); });
    } else if (name == "replay") {
      read_table(name, node, [&](const toml::table& table) { read_fixed(table, "replay"); });
    } else if (name == "axes") {
      read_table(name, node, [&](const toml::table& table) {
        for (SweepAxis& axis : read_axes(table, "", /*zipped=*/false)) add_dimension({std::move(axis)});
      });
    } else if (name == "zip") {
      read_zips(node);
    } else if (name == "keep") {
      read_filters(node);
    } else if (name == "sample") {
      read_table(name, node, [&](const toml::table& table) { read_sample(table, line); });
    } else if (name == "invalid") {
      const ConfigValue value = to_value(node);
      file_.skip_invalid = value == ConfigValue(std::string("skip"));
      if (!file_.skip_invalid && value != ConfigValue(std::string("refuse"))) {
        expected("invalid", node, "\"refuse\" or \"skip\"");
      }
    } else {
      problem(line, fmt::format("{}: unknown key{}", printable(name), did_you_mean(name, kNames)));
    }
  }

  template <class Read>
  void read_table(const std::string& name, const toml::node& node, const Read& read) {
    if (const toml::table* table = node.as_table()) {
      read(*table);
    } else {
      expected(name, node, "a section, [" + name + "]");
    }
  }

  void add_dimension(std::vector<SweepAxis> axes) {
    if (axes.empty()) return;
    const std::uint32_t line = axes.front().line;
    const std::size_t size = axes.front().values.size();
    if (size == 0) return;  // reported
    numbered_.push_back({line, SweepDimension{.axes = std::move(axes), .size = size}});
  }

  ConfigEntry entry(const std::string& key, std::uint32_t line, ConfigValue value) const {
    return {.key = key, .place = place(line), .line = line, .value = std::move(value)};
  }

  void add_single(const std::string& key, std::uint32_t line, const toml::node& node) {
    if (node.is_array() || node.is_table()) {
      expected(key, node, "one value; several belong into [axes]");
      return;
    }
    add_dimension({SweepAxis{key, place(line), line, {entry(key, line_of(node), to_value(node))}}});
  }

  void read_fixed(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string key = axis_key(prefix, name.str());
      if (const toml::table* inner = node.as_table()) {
        read_fixed(*inner, key);
      } else {
        add_single(key, name.source().begin.line, node);
      }
    }
  }

  /// Every axis below `table`; a table that has "from" or "to" is a range, any other a section.
  std::vector<SweepAxis> read_axes(const toml::table& table, const std::string& prefix, bool zipped) {
    std::vector<SweepAxis> axes;
    for (const auto& [name, node] : table) {
      const std::string key = axis_key(prefix, name.str());
      const std::uint32_t line = name.source().begin.line;
      const toml::table* inner = node.as_table();
      if (inner != nullptr && !inner->contains("from") && !inner->contains("to")) {
        for (SweepAxis& axis : read_axes(*inner, key, zipped)) axes.push_back(std::move(axis));
        continue;
      }
      SweepAxis axis{key, place(line), line, {}};
      if (const toml::array* array = node.as_array()) {
        read_list(*array, axis, zipped);
      } else if (inner != nullptr) {
        read_range(*inner, axis);
      } else {
        expected(key, node, "a list [..] or a range { from, to, step } or { from, to, factor }");
      }
      if (!axis.values.empty()) axes.push_back(std::move(axis));
    }
    std::stable_sort(axes.begin(), axes.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
    return axes;
  }

  void read_list(const toml::array& array, SweepAxis& axis, bool zipped) {
    if (array.empty()) problem(axis.line, axis.key + ": got an empty list; expected at least one value");
    if (array.size() > kMaxAxisValues) {
      problem(axis.line, fmt::format("{}: got {} values; expected at most {}", axis.key, array.size(), kMaxAxisValues));
      return;
    }
    std::map<std::string, std::uint32_t> seen;
    for (const toml::node& node : array) {
      const ConfigValue value = to_value(node);
      const auto [twin, is_new] = seen.insert({describe(value), line_of(node)});
      if (!is_new && !zipped) {
        problem(line_of(node), fmt::format("{}: got {} twice (line {}); expected different values", axis.key,
                                           twin->first, twin->second));
        continue;
      }
      axis.values.push_back(entry(axis.key, line_of(node), value));
    }
  }

  void read_range(const toml::table& table, SweepAxis& axis) {
    SweepRange range;
    for (const auto& [name, node] : table) {
      ConfigValue* const member = range.member(name.str());
      if (member == nullptr) {
        problem(axis.line, fmt::format("{}.{}: unknown key; expected from, to and step or factor", axis.key,
                                       printable(name.str())));
        return;
      }
      *member = to_value(node);
    }
    std::vector<ConfigValue> values;
    if (const std::string text = expand(range, values); !text.empty()) {
      problem(axis.line, axis.key + ": " + text);
      return;
    }
    for (ConfigValue& value : values) axis.values.push_back(entry(axis.key, axis.line, std::move(value)));
  }

  void read_zips(const toml::node& node) {
    const toml::array* array = node.as_array();
    if (array == nullptr) {
      expected("zip", node, "sections [[zip]]");
      return;
    }
    for (const toml::node& element : *array) {
      const toml::table* table = element.as_table();
      if (table == nullptr) {
        expected("zip", element, "sections [[zip]]");
        continue;
      }
      std::vector<SweepAxis> axes = read_axes(*table, "", /*zipped=*/true);
      bool equal = true;
      for (const SweepAxis& axis : axes) {
        if (axis.values.size() == axes.front().values.size()) continue;
        equal = false;
        problem(axis.line, fmt::format("{}: got {} values; expected {}, as many as {}, to which it is zipped", axis.key,
                                       axis.values.size(), axes.front().values.size(), axes.front().key));
      }
      if (table->empty()) problem(line_of(element), "zip: got no axes; expected at least one");
      if (equal && has_different_rows(axes)) add_dimension(std::move(axes));
    }
  }

  /// A value of one zipped axis may come again, but not with the same values of the others.
  bool has_different_rows(const std::vector<SweepAxis>& axes) {
    std::map<std::string, std::size_t> seen;
    for (std::size_t row = 0; !axes.empty() && row < axes.front().values.size(); ++row) {
      std::string text;
      for (const SweepAxis& axis : axes) text += (text.empty() ? "" : ", ") + describe(axis.values[row].value);
      const auto [twin, is_new] = seen.insert({text, row});
      if (is_new) continue;
      problem(axes.front().values[row].line,
              fmt::format("zip: got {} twice (values {} and {}); expected different values", text, twin->second + 1,
                          row + 1));
      return false;
    }
    return true;
  }

  void read_filters(const toml::node& node) {
    const toml::array* array = node.as_array();
    if (array == nullptr) {
      expected("keep", node, "a list of conditions, such as [\"array.rows * array.cols <= 1024\"]");
      return;
    }
    for (const toml::node& element : *array) {
      if (const auto* text = element.as_string()) {
        file_.filters.push_back({text->get(), place(line_of(element)), line_of(element)});
      } else {
        expected("keep", element, "a condition in quotes");
      }
    }
  }

  void read_sample(const toml::table& table, std::uint32_t line) {
    SweepSample sample{.place = place(line)};
    bool has_method = false;
    for (const auto& [name, node] : table) {
      const std::string key = "sample." + printable(name.str());
      const auto* number = node.as_integer();
      if (key == "sample.method") {
        const ConfigValue value = to_value(node);
        has_method = true;
        if (value == ConfigValue(std::string("latin_hypercube"))) {
          sample.method = SweepSample::Method::kLatinHypercube;
        } else if (value != ConfigValue(std::string("random"))) {
          expected(key, node, "\"random\" or \"latin_hypercube\"");
        }
      } else if (key == "sample.points" && number != nullptr && number->get() >= 1) {
        sample.num_points = static_cast<std::uint64_t>(number->get());
      } else if (key == "sample.seed" && number != nullptr && number->get() >= 0) {
        sample.seed = static_cast<std::uint64_t>(number->get());
      } else if (key == "sample.points" || key == "sample.seed") {
        expected(key, node, key == "sample.points" ? "an integer from 1" : "an integer from 0");
        sample.num_points = std::max<std::uint64_t>(sample.num_points, 1);
      } else {
        problem(line_of(node), key + ": unknown key; expected method, points and seed");
      }
    }
    if (!has_method) problem(line, "sample.method: missing; expected \"random\" or \"latin_hypercube\"");
    if (sample.num_points == 0) problem(line, "sample.points: missing; expected an integer from 1");
    file_.sample = sample;
  }

  /// A key that is set in two places would have two values at once.
  void check_twins() {
    std::map<std::string, std::uint32_t> seen;
    for (const SweepDimension& dimension : file_.dimensions) {
      for (const SweepAxis& axis : dimension.axes) {
        const auto [twin, is_new] = seen.insert({axis.key, axis.line});
        if (!is_new) {
          problem(axis.line, fmt::format("{}: is set in line {} already; expected one place", axis.key, twin->second));
        }
      }
    }
  }

  SweepFile file_;
  toml::table root_;
  std::vector<std::pair<std::uint32_t, SweepDimension>> numbered_;  // by line
};

}  // namespace

SweepFile read_sweep_file(const std::filesystem::path& path) { return Reader(path).read(); }

}  // namespace guardbit::sim
