#pragma once
/// Energy per operation and area per operator: what the entries are and where their defaults come from. How other
/// widths follow from them is cost_model.h.
#include <cstdint>

#include "models/units/field_info.h"

namespace guardbit::units {

/// [energy]: picojoules of one operation at 45 nm, 0.9 V; defaults of M. Horowitz, "Computing's energy problem", ISSCC
/// 2014, figure 1.1.9. Other widths are a model (cost_model.h).
struct EnergyConfig {
  double int8_add = 0.03;
  double int32_add = 0.1;
  double fp16_add = 0.4;
  double fp32_add = 0.9;
  double int8_multiply = 0.2;
  double int32_multiply = 3.1;
  double fp16_multiply = 1.1;
  double fp32_multiply = 3.7;
  double divide_multiply_adds = 4;
  double sram_8kib_byte = 1.25;
  double dram_byte = 162.5;

  static void visit_fields(auto& self, auto&& visit) {
    constexpr RealRange kEnergy{0, 1e6};
    visit(FieldInfo{"int8_add", "pJ", "Addition of int8 (Horowitz, ISSCC 2014, 45 nm); up to 8 bits in proportion."},
          self.int8_add, kEnergy);
    visit(FieldInfo{"int32_add", "pJ", "Addition of int32 (Horowitz 2014); more than 8 bits in proportion."},
          self.int32_add, kEnergy);
    visit(FieldInfo{"fp16_add", "pJ",
                    "Addition of fp16 (Horowitz 2014); formats of up to 16 bits in proportion to their significand."},
          self.fp16_add, kEnergy);
    visit(FieldInfo{"fp32_add", "pJ",
                    "Addition of fp32 (Horowitz 2014); wider formats in proportion to their significand."},
          self.fp32_add, kEnergy);
    visit(FieldInfo{"int8_multiply", "pJ",
                    "Product of int8 (Horowitz 2014); up to 8 bits in proportion to the product of the widths."},
          self.int8_multiply, kEnergy);
    visit(FieldInfo{"int32_multiply", "pJ",
                    "Product of int32 (Horowitz 2014); more than 8 bits in proportion to the product of the widths."},
          self.int32_multiply, kEnergy);
    visit(FieldInfo{"fp16_multiply", "pJ",
                    "Product of fp16 (Horowitz 2014); formats of up to 16 bits in proportion to the product of the "
                    "significands' bits."},
          self.fp16_multiply, kEnergy);
    visit(FieldInfo{"fp32_multiply", "pJ",
                    "Product of fp32 (Horowitz 2014); wider formats in proportion to the product of the significands' "
                    "bits."},
          self.fp32_multiply, kEnergy);
    visit(FieldInfo{"divide_multiply_adds", "",
                    "A division costs so many multiplications and additions of its format (a model: table and two "
                    "Newton steps)."},
          self.divide_multiply_adds, RealRange{0, 1000});
    visit(FieldInfo{"sram_8kib_byte", "pJ/byte",
                    "A byte read from or written to a memory bank of 8 KiB (Horowitz 2014: 10 pJ for 64 bits); other "
                    "sizes in proportion to the square root of the bank's bytes."},
          self.sram_8kib_byte, kEnergy);
    visit(FieldInfo{"dram_byte", "pJ/byte",
                    "A byte moved from or to DRAM (Horowitz 2014: 1.3 to 2.6 nJ for 64 bits, the lower end)."},
          self.dram_byte, kEnergy);
  }
};

/// [area]: square micrometres of one operator at 45 nm; defaults of W. Dally, "High-performance hardware for machine
/// learning", NIPS tutorial 2015 (TSMC 45 nm), and for memory K. Mistry et al., IEDM 2007.
struct AreaConfig {
  double int8_add = 36;
  double int32_add = 137;
  double fp16_add = 1360;
  double fp32_add = 4184;
  double int8_multiply = 282;
  double int32_multiply = 3495;
  double fp16_multiply = 1640;
  double fp32_multiply = 7700;
  double divide_multiply_adds = 1;
  double sram_byte = 2.768;

  static void visit_fields(auto& self, auto&& visit) {
    constexpr RealRange kArea{0, 1e9};
    visit(FieldInfo{"int8_add", "um2", "Adder of int8 (Dally, NIPS tutorial 2015, TSMC 45 nm); widths as for energy."},
          self.int8_add, kArea);
    visit(FieldInfo{"int32_add", "um2", "Adder of int32 (Dally 2015)."}, self.int32_add, kArea);
    visit(FieldInfo{"fp16_add", "um2", "Adder of fp16 (Dally 2015)."}, self.fp16_add, kArea);
    visit(FieldInfo{"fp32_add", "um2", "Adder of fp32 (Dally 2015)."}, self.fp32_add, kArea);
    visit(FieldInfo{"int8_multiply", "um2", "Multiplier of int8 (Dally 2015)."}, self.int8_multiply, kArea);
    visit(FieldInfo{"int32_multiply", "um2", "Multiplier of int32 (Dally 2015)."}, self.int32_multiply, kArea);
    visit(FieldInfo{"fp16_multiply", "um2", "Multiplier of fp16 (Dally 2015)."}, self.fp16_multiply, kArea);
    visit(FieldInfo{"fp32_multiply", "um2", "Multiplier of fp32 (Dally 2015)."}, self.fp32_multiply, kArea);
    visit(FieldInfo{"divide_multiply_adds", "",
                    "A divider is so many multipliers and adders of its format, used in turn (a model)."},
          self.divide_multiply_adds, RealRange{0, 1000});
    visit(
        FieldInfo{"sram_byte", "um2/byte", "Memory, cells alone (Mistry et al., IEDM 2007: 0.346 um2 a bit at 45 nm)."},
        self.sram_byte, kArea);
  }
};

}  // namespace guardbit::units
