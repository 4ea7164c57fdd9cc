#pragma once
/// The order in which machine-readable reports list the ten events; part of their schema, so apart from the enum's.
#include <array>

#include "models/numerics/events.h"

namespace guardbit::sim {

inline constexpr std::array<numerics::Event, numerics::kNumEvents> kReportEvents = {
    numerics::Event::kOverflow, numerics::Event::kUnderflow, numerics::Event::kSaturated, numerics::Event::kInvalid,
    numerics::Event::kFlushed,  numerics::Event::kSwamped,   numerics::Event::kInexact,   numerics::Event::kClipped,
    numerics::Event::kZeroed,   numerics::Event::kWrapped};

[[nodiscard]] constexpr std::string_view name_of(numerics::Event event) {
  return numerics::kEventNames[static_cast<std::size_t>(event)];
}

}  // namespace guardbit::sim
