#pragma once
/// .npy files that must be refused, by the design's ids (NPY-nn, GEN-nn); for the reader's own test and for capture's.
#include <string>
#include <vector>

#include "tests/support/npy_writer.h"

namespace guardbit::tests {

struct MalformedNpy {
  const char* id;
  std::string content;
  const char* message;  ///< essential part
};

inline std::vector<MalformedNpy> malformed_npy() {
  const std::string good = npy_header("<f4", "(2,)");
  const std::string data = raw_bytes<float>({1, 2});
  const auto with = [&](const std::string& descr, const std::string& shape, const std::string& order = "False") {
    return npy_file(npy_header(descr, shape, order), data);
  };
  std::string minor = npy_file(good, data);
  minor[7] = 1;
  return {
      {"GEN-01", "", "expected a .npy file"},
      {"GEN-04", npy_file(good, data + "x"), "got 9 bytes of data; expected 8"},
      {"GEN-09", std::string("PK\x03\x04        "), "ZIP archive"},
      {"NPY-01", npy_file(good, data, 4), "got .npy version 4.0"},
      {"NPY-01", npy_file(good, data, 0), "got .npy version 0.0"},
      {"NPY-01", minor, "got .npy version 1.1"},
      {"NPY-02", std::string("\x93NUMPY\x02\x00\xF0\xFF\xFF\xFF", 12),
       "got header length 4294967280; expected at most 0"},
      {"NPY-03", npy_file(good.substr(0, good.size() - 1), data), "does not end with a line end"},
      {"NPY-03", npy_file("[1, 2]\n", data), "expected '{'"},
      {"NPY-03", npy_file("", data), "does not end with a line end"},
      {"NPY-04", npy_file(npy_header("<f4", "(1 + 1,)"), data), "expected ','"},
      {"NPY-04", npy_file(npy_header("<f4", "tuple([2])"), data), "expected '('"},
      {"NPY-04", npy_file(npy_header("<f4", "((2,),)"), data), "expected a dimension"},
      {"NPY-05", with("|O", "(2,)"), "got descr '|O'"},
      {"NPY-05", with("<U4", "(2,)"), "got descr '<U4'"},
      {"NPY-05", with("|V4", "(2,)"), "got descr '|V4'"},
      {"NPY-05", npy_file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }\n", data), "structured"},
      {"NPY-06", with("<fx", "(2,)"), "got descr '<fx'"},
      {"NPY-06", with("", "(2,)"), "got descr ''"},
      {"NPY-06", with("<", "(2,)"), "got descr '<'"},
      {"NPY-06", with("|f4", "(2,)"), "got descr '|f4'"},
      {"NPY-06", with("f4", "(2,)"), "got descr 'f4'"},
      {"NPY-07", npy_file("{'descr': '<f4', 'shape': (2,), }\n", data), "the keys"},
      {"NPY-07", npy_file("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}\n", data), "twice"},
      {"NPY-07", npy_file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}\n", data), "got key 'x'"},
      {"NPY-08", with("<f4", "(2,)", "0"), "expected True or False"},
      {"NPY-08", with("<f4", "(2,)", "Falsey"), "expected True or False"},
      {"NPY-09", with("<f4", "(3,)"), "got 8 bytes of data; expected 12"},
      {"NPY-09", with("<f4", "(4294967296, 4294967296)"), "fits in 64 bits"},
      {"NPY-09", with("<f4", "(4611686018427387905,)"), "fits in 64 bits"},
      {"NPY-10", with("<f4", "(-2,)"), "expected a dimension"},
      {"NPY-10", with("<f4", "(0, 2)"), "expected a dimension"},
      {"NPY-10", with("<f4", "(99999999999999999999,)"), "expected a dimension"},
      {"NPY-10", with("<f4", "(2)"), "',' behind the only dimension"},
      {"NPY-10", with("<f4", "(1,1,1,1,1,1,1,1,2)"), "at most 8 dimensions"},
      {"NPY-10", npy_file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x\n", data), "end of the header"},
      {"NPY-11", with(">f16", "(2,)"), "got descr '>f16'"}};
}

}  // namespace guardbit::tests
