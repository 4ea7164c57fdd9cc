#include "sim/sweep/space_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "models/calibration/variant.h"
#include "sim/base/error.h"
#include "sim/config/suggest.h"
#include "sim/replay/replay_inputs.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {
namespace {

class SpaceReader {
 public:
  explicit SpaceReader(SweepFile& file) : file_(file), fields_(fields_of(settings_)) {}

  DesignSpace read() {
    for (const SweepDimension& dimension : file_.dimensions) {
      for (const SweepAxis& axis : dimension.axes) read_axis(axis);
      if (dimension.axes.size() == 1) check_twins(dimension.axes.front());
    }
    for (const char* key : {"accelerator", "trace"}) {
      if (!seen_.contains(key)) missing(key);
    }
    warn_of_shortages();
    if (!seen_.contains("variant")) space_.axes.push_back({"variant", {"none"}});
    return std::move(space_);
  }

 private:
  void problem(const ConfigEntry& entry, const std::string& text) {
    file_.problems.push_back({0, entry.line, fmt::format("{}: {}: {}", entry.place, printable(entry.key), text)});
  }
  void missing(const std::string& key) {
    file_.problems.push_back(
        {0, 1,
         fmt::format("{}:1: {}: missing; expected {} = \"...\" or a list in [axes]", file_.shown_path, key, key)});
  }

  void read_axis(const SweepAxis& axis) {
    seen_.insert(axis.key);
    SpaceAxis result{axis.key, {}};
    if (is_accelerator_key(axis.key)) {
      result.values = read_keys(axis);
    } else {
      for (const ConfigEntry& entry : axis.values) result.values.push_back(read_value(entry));
    }
    space_.axes.push_back(std::move(result));
  }

  /// 16 and 16.0 of a real key are the same value, rrs+a4+w4 and rrs+w4a4 the same variant.
  void check_twins(const SweepAxis& axis) {
    const std::vector<std::string>& values = space_.axes.back().values;
    const std::set<std::string> different(values.begin(), values.end());
    if (different.size() == values.size() || !file_.problems.empty()) return;
    problem(axis.values.front(), "got the same value twice; expected different values");
  }

  /// Of the values of an axis that ask for more than a trace has, the first.
  void warn_of_shortages() {
    for (const SweepDimension& dimension : file_.dimensions) {
      for (const SweepAxis& axis : dimension.axes) {
        if (axis.key != "replay.windows" && axis.key != "replay.tokens") continue;
        for (const Trace& trace : traces_) warn_of_shortage(axis, trace);
      }
    }
  }
  void warn_of_shortage(const SweepAxis& axis, const Trace& trace) {
    for (const ConfigEntry& entry : axis.values) {
      const auto* number = std::get_if<std::int64_t>(&entry.value);
      if (number == nullptr || *number < 0) return;  // a problem
      ReplaySettings settings;
      (axis.key == "replay.windows" ? settings.windows : settings.tokens) = *number;
      const std::vector<std::string> shortages = shortages_of(trace, settings.options());
      if (shortages.empty()) continue;
      file_.warnings.push_back(entry.place + ": replay." + shortages.front());
      return;
    }
  }

  static bool is_accelerator_key(const std::string& key) {
    return key != "accelerator" && key != "trace" && key != "variant" && !key.starts_with("replay.");
  }

  /// Of the wrong values of a long axis the first ones are named.
  std::vector<std::string> read_keys(const SweepAxis& axis) {
    constexpr std::size_t kMaxShown = 3;
    std::vector<PlacedProblem> problems = problems_of(axis.values);
    const auto same = [](const PlacedProblem& a, const PlacedProblem& b) {
      return a.text == b.text;
    };  // an unknown key
    problems.erase(std::unique(problems.begin(), problems.end(), same), problems.end());
    for (std::size_t index = 0; index < std::min(problems.size(), kMaxShown); ++index) {
      file_.problems.push_back({0, problems[index].line, problems[index].text});
    }
    if (problems.size() > kMaxShown) {
      problem(axis.values.front(), fmt::format("and {} more values that are wrong", problems.size() - kMaxShown));
    }
    return problems.empty() ? texts_of(axis.values) : std::vector<std::string>(axis.values.size());
  }

  /// The value's text; anything if there is a problem, which is reported.
  std::string read_value(const ConfigEntry& entry) {
    if (entry.key == "accelerator" || entry.key == "trace" || entry.key == "variant") {
      const auto* text = std::get_if<std::string>(&entry.value);
      if (text == nullptr || text->empty()) {
        problem(entry, "got " + describe(entry.value) + "; expected a text");
        return "";
      }
      return entry.key == "variant" ? read_variant(entry, *text)
             : entry.key == "trace" ? read_trace(entry, *text)
                                    : read_accelerator(entry, *text);
    }
    return read_setting(entry);
  }

  /// Canonical, so that one variant has one key however it is written.
  std::string read_variant(const ConfigEntry& entry, const std::string& variant) {
    try {
      return calibration::parse_variant(variant).canonical_text();
    } catch (const std::invalid_argument& error) {
      problem(entry, error.what());
    }
    return variant;
  }

  std::string read_setting(const ConfigEntry& entry) {
    std::vector<std::string> names;
    for (const Field& field : fields_) {
      names.push_back(field.key);
      if (field.key != entry.key) continue;
      if (const auto wrong = assign(field, entry.value)) problem(entry, *wrong);
      return value_text(field);
    }
    const auto hint = nearest(entry.key, names);
    problem(entry, fmt::format("unknown key{}", hint ? "; did you mean " + *hint + "?" : ""));
    return "";
  }

  /// Runs `load`, whose message becomes a problem of the entry, unless the sweep file is not at fault.
  template <class Load>
  void load_named(const ConfigEntry& entry, const Load& load) {
    try {
      load();
    } catch (const UserError& error) {
      if (error.code() == ExitCode::kIo) throw;
      problem(entry, error.what());
    }
  }

  std::string read_accelerator(const ConfigEntry& entry, const std::string& name) {
    load_named(entry, [&] {
      const LoadedAccelerator loaded = load_accelerator(file_.directory / name);
      space_.accelerators.push_back({loaded.name, loaded.keys});
    });
    return std::to_string(space_.accelerators.empty() ? 0 : space_.accelerators.size() - 1);
  }

  std::string read_trace(const ConfigEntry& entry, const std::string& name) {
    load_named(entry, [&] {
      const std::filesystem::path directory = std::filesystem::absolute(file_.directory / name).lexically_normal();
      Trace trace = load_trace_description(directory);
      space_.traces.push_back({trace.name, directory.string(), trace.sha256});
      traces_.push_back(std::move(trace));
    });
    return std::to_string(space_.traces.empty() ? 0 : space_.traces.size() - 1);
  }

  SweepFile& file_;
  ReplaySettings settings_;
  std::vector<Field> fields_;
  DesignSpace space_;
  std::vector<Trace> traces_;  // what space_.traces says more of
  std::set<std::string> seen_;
};

}  // namespace

DesignSpace read_space(SweepFile& file) { return SpaceReader(file).read(); }

}  // namespace guardbit::sim
