#pragma once
/// The range that a quantizer's grid is fitted to.

namespace guardbit::units {

/// Of the values and 0; NaNs are ignored.
struct ValueRange {
  float low = 0;
  float high = 0;

  void add(float value) {  // every comparison with a NaN is false
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  friend bool operator==(const ValueRange&, const ValueRange&) = default;
};

}  // namespace guardbit::units
