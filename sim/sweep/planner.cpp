#include "sim/sweep/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <tuple>

#include "models/calibration/variant.h"
#include "models/numerics/version.h"
#include "sim/base/error.h"
#include "sim/base/plural.h"
#include "sim/base/sha256.h"
#include "sim/base/signal_guard.h"
#include "sim/config/suggest.h"
#include "sim/config/sweep_file.h"
#include "sim/replay/variant_hardware.h"
#include "sim/sweep/condition.h"
#include "sim/sweep/sampling.h"
#include "sim/sweep/space_reader.h"
#include "sim/sweep/work_estimate.h"

namespace guardbit::sim {
namespace {

class Planner {
 public:
  Planner(SweepFile file, DesignSpace space, std::uint64_t max_points, PlanCounts& counts)
      : file_(std::move(file)), max_points_(max_points), counts_(counts) {
    plan_.space = std::move(space);
    for (const SweepDimension& dimension : file_.dimensions) sizes_.push_back(dimension.size);
    counts_.full_size = 1;
    for (const std::size_t size : sizes_) counts_.full_size *= static_cast<double>(size);
  }

  Plan make() {
    read_filters();
    refuse_problems(std::move(file_.problems));
    counts_.warnings = std::move(file_.warnings);
    check_size();
    plan_.name = file_.name;
    plan_.source_sha256 = file_.sha256;
    plan_.tool_sha256 = tool_sha256();
    plan_.numerics_version = numerics::kNumericsVersion;
    resolver_.emplace(plan_.space);
    WorkEstimate work(plan_.space);
    for (const Coordinates& coordinates : chosen()) add_point(coordinates, work);
    refuse_problems(broken_rules());
    if (plan_.points.empty()) {
      throw UserError(ExitCode::kConfiguration,
                      fmt::format("{}: got no points ({} left out by filters, {} invalid); expected at least one",
                                  file_.shown_path, counts_.left_out, counts_.invalid));
    }
    return std::move(plan_);
  }

 private:
  /// A rule between keys that points break.
  struct Broken {
    std::uint64_t count = 0;
    std::string settings;  ///< of the first such point
  };

  void read_filters() {
    units::AcceleratorConfig config;
    std::vector<std::string> known = {"accelerator", "trace", "variant"};
    for (const Field& field : fields_of(config)) known.push_back(field.key);
    ReplaySettings settings;
    for (const Field& field : fields_of(settings)) known.push_back(field.key);
    for (const SweepFilter& filter : file_.filters) {
      try {
        conditions_.push_back({Condition(filter.text), &filter});
        for (const std::string& name : conditions_.back().first.names()) {
          if (std::find(known.begin(), known.end(), name) != known.end()) continue;
          throw std::invalid_argument(fmt::format("got {0}; expected a key, or a text in single quotes: '{0}'{1}", name,
                                                  did_you_mean(name, known)));
        }
      } catch (const std::invalid_argument& error) {
        file_.problems.push_back({0, filter.line, fmt::format("{}: keep: {}", filter.place, error.what())});
      }
    }
  }

  void check_size() const {
    const auto refuse = [&](double size, const std::string& what) {
      throw UserError(ExitCode::kRefused,
                      fmt::format("{}: {} has {} points; expected at most {} (--max-points); a [sample] takes some "
                                  "of them",
                                  file_.shown_path, what, describe_size(size), max_points_));
    };
    const auto limit = static_cast<double>(max_points_);
    if (file_.sample) {
      const auto size = static_cast<double>(file_.sample->num_points);
      if (size > limit) refuse(size, "the sample");
    } else if (conditions_.empty() && counts_.full_size > limit) {
      refuse(counts_.full_size, "the product of all axes");
    } else if (counts_.full_size > limit * static_cast<double>(kMaxVisitsPerPoint)) {
      refuse(counts_.full_size, "the product of all axes, before filters,");
    }
  }

  /// The choice that coordinates stand for: zipped axes advance together.
  Choice choice_of(const Coordinates& coordinates) const {
    Choice choice;
    for (std::size_t dimension = 0; dimension < sizes_.size(); ++dimension) {
      choice.insert(choice.end(), file_.dimensions[dimension].axes.size(), coordinates[dimension]);
    }
    choice.resize(plan_.space.axes.size(), 0);  // defaults that the file does not mention
    return choice;
  }

  bool keep(const Coordinates& coordinates) {
    if (conditions_.empty()) return true;
    resolver_->choose(choice_of(coordinates));
    for (const auto& [condition, filter] : conditions_) {
      try {
        if (condition.holds([&](std::string_view name) { return resolver_->value(name); })) continue;
      } catch (const std::invalid_argument& error) {
        throw UserError(ExitCode::kConfiguration, fmt::format("{}: keep: {}", filter->place, error.what()));
      }
      ++counts_.left_out;
      return false;
    }
    return true;
  }

  std::vector<Coordinates> chosen() {
    const auto keep_these = [this](const Coordinates& coordinates) { return keep(coordinates); };
    if (file_.sample && static_cast<double>(file_.sample->num_points) < counts_.full_size) {
      const SweepSample& sample = *file_.sample;
      return sample.method == SweepSample::Method::kRandom
                 ? random_sample(sizes_, sample.num_points, sample.seed, keep_these)
                 : latin_hypercube(sizes_, sample.num_points, sample.seed, keep_these);
    }
    std::vector<Coordinates> all;
    Coordinates at(sizes_.size(), 0);
    for (bool more = true; more;) {  // the last dimension runs fastest
      throw_if_interrupted();
      if (keep(at)) all.push_back(at);
      if (all.size() > max_points_) {
        throw UserError(ExitCode::kRefused,
                        fmt::format("{}: got more than {} points; expected at most {} (--max-points)", file_.shown_path,
                                    max_points_, max_points_));
      }
      std::size_t dimension = sizes_.size();
      while (dimension > 0 && ++at[dimension - 1] == sizes_[dimension - 1]) at[--dimension] = 0;
      more = dimension > 0;
    }
    return all;
  }

  /// Broken rules between keys, or widths of the variant that the accelerator cannot multiply.
  std::vector<units::ConfigProblem> problems_of_point() const {
    const units::AcceleratorConfig& config = resolver_->accelerator().config();
    std::vector<units::ConfigProblem> problems = config.cross_field_problems();
    if (!problems.empty()) return problems;
    try {
      (void)variant_hardware(calibration::parse_variant(resolver_->variant()), config);
    } catch (const std::invalid_argument& error) {
      problems.push_back({.key = "variant", .message = error.what()});
    }
    return problems;
  }

  void add_point(const Coordinates& coordinates, WorkEstimate& work) {
    throw_if_interrupted();
    PlanPoint point{.key = "", .choice = choice_of(coordinates)};
    resolver_->choose(point.choice);
    const std::vector<units::ConfigProblem> problems = problems_of_point();
    if (!problems.empty()) {
      ++counts_.invalid;
      for (const units::ConfigProblem& problem : problems) {
        Broken& broken = broken_[{line_of(problem.key), problem.key + ": " + problem.message}];
        if (broken.count++ == 0) broken.settings = settings_of(point.choice);
      }
      return;
    }
    point.key = sha256_hex(resolver_->description());
    plan_.macs += work.macs(*resolver_);
    plan_.points.push_back(std::move(point));
  }

  std::uint32_t line_of(const std::string& key) const {
    for (const SweepDimension& dimension : file_.dimensions) {
      for (const SweepAxis& axis : dimension.axes) {
        if (axis.key == key) return axis.line;
      }
    }
    for (const SweepDimension& dimension : file_.dimensions) {
      for (const SweepAxis& axis : dimension.axes) {
        if (axis.key == "accelerator") return axis.line;
      }
    }
    return 1;
  }

  /// "array.rows = 8, array.dataflow = ws": what varies.
  std::string settings_of(const Choice& choice) const {
    std::string text;
    for (std::size_t axis = 0; axis < choice.size(); ++axis) {
      const SpaceAxis& of = plan_.space.axes[axis];
      if (of.values.size() < 2) continue;
      const std::string* value = resolver_->value(of.key);
      text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", of.key, value == nullptr ? "" : *value);
    }
    return text;
  }

  std::vector<PlacedProblem> broken_rules() const {
    std::vector<PlacedProblem> problems;
    if (file_.skip_invalid) return problems;
    for (const auto& [rule, broken] : broken_) {
      const auto& [line, message] = rule;
      problems.push_back(
          {0, line,
           fmt::format("{}:{}: {} ({} {}, the first with {}; invalid = \"skip\" leaves them out)", file_.shown_path,
                       line, message, broken.count, plural(broken.count, "point"), broken.settings)});
    }
    return problems;
  }

  SweepFile file_;
  const std::uint64_t max_points_;
  PlanCounts& counts_;
  Plan plan_;
  std::vector<std::size_t> sizes_;  // of the dimensions
  std::vector<std::pair<Condition, const SweepFilter*>> conditions_;
  std::optional<PointResolver> resolver_;
  std::map<std::pair<std::uint32_t, std::string>, Broken> broken_;  // by line and message
};

}  // namespace

std::string describe_size(double size) {
  constexpr double kShownInFull = 1e9;
  return size < kShownInFull ? fmt::format("{:.0f}", size) : fmt::format("{:.6g}", size);
}

Plan make_plan(const std::filesystem::path& sweep_file, std::uint64_t max_points, PlanCounts& counts) {
  SweepFile file = read_sweep_file(sweep_file);
  DesignSpace space = read_space(file);
  return Planner(std::move(file), std::move(space), max_points, counts).make();
}

}  // namespace guardbit::sim
