#pragma once
/// What a sweep varies, as plain data, and the resolution of one of its points: accelerator, trace, variant, replay
/// settings, and the key under which the store keeps its result. How points are chosen is planner.h.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/accelerator_space.h"
#include "sim/sweep/replay_settings.h"

namespace guardbit::sim {

struct SpaceAccelerator {
  std::string name;
  std::map<std::string, std::string> keys;  ///< all, LoadedAccelerator::keys
};
struct SpaceTrace {
  std::string name;
  std::string directory;  ///< absolute
  std::string sha256;     ///< Trace::sha256
};
/// Key "accelerator" (values: indices into DesignSpace::accelerators as text), "trace" (likewise), "variant",
/// "replay.<setting>" or a key of accelerators; values as value_text() writes them.
struct SpaceAxis {
  std::string key;
  std::vector<std::string> values;
};
struct DesignSpace {
  std::vector<SpaceAccelerator> accelerators;
  std::vector<SpaceTrace> traces;
  std::vector<SpaceAxis> axes;  ///< also what is fixed: axes of one value; accelerator, trace and variant among them
};

/// One value of every axis, by index.
using Choice = std::vector<std::uint32_t>;

inline constexpr std::string_view kPointSchema = "guardbit-point/2";

/// The current point of a space.
class PointResolver {
 public:
  /// `space` outlives the resolver. UserError kMalformedInput for a key or value that this version does not know.
  explicit PointResolver(const DesignSpace& space);

  void choose(const Choice& choice);

  const AcceleratorSpace& accelerator() const { return *accelerator_; }
  const SpaceTrace& trace() const { return space_.traces[trace_]; }
  std::size_t trace_index() const { return trace_; }
  const std::string& variant() const { return *variant_; }
  const ReplaySettings& settings() const { return *settings_; }
  /// replay()'s options for the one variant.
  [[nodiscard]] ReplayOptions options() const;

  /// Everything the point's result depends on, as canonical JSON: members sorted, no blanks, values as text. SHA-256 of
  /// it is the point's key (test: tests/unit/sweep_plan_test.cpp). Names and places of files are not in it.
  [[nodiscard]] std::string description() const;

  /// The text of a key of accelerators, of a replay setting, or of accelerator (its name), trace (name) or variant;
  /// null if there is no such key. Valid until the next choose().
  const std::string* value(std::string_view key) const;

 private:
  enum class Role : std::uint8_t { kAccelerator, kTrace, kVariant, kReplay, kKey };
  void set_replay(std::size_t axis, const std::string& text);

  const DesignSpace& space_;
  std::vector<Role> roles_;  // by axis
  std::vector<AcceleratorSpace> accelerators_;
  std::unique_ptr<ReplaySettings> settings_;  // the fields point into it
  std::vector<Field> fields_;
  std::map<std::string, std::string, std::less<>> settings_text_;
  AcceleratorSpace* accelerator_ = nullptr;
  std::size_t trace_ = 0;
  const std::string* variant_ = nullptr;
};

}  // namespace guardbit::sim
