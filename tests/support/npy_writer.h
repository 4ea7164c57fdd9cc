#pragma once
/// .npy files byte by byte, without the project's own writer.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace guardbit::tests {

/// A file with that header text (the line end is the caller's) and data.
inline std::string npy_file(const std::string& header, const std::string& data, int version = 1) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  const std::size_t num_length_bytes = version == 1 ? 2 : 4;
  for (std::size_t i = 0; i < num_length_bytes; ++i) file += static_cast<char>(header.size() >> (8 * i) & 0xFF);
  return file + header + data;
}

inline std::string npy_header(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

template <class T>
std::string raw_bytes(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// The elements behind the header of a version 1 file.
template <class T>
std::vector<T> npy_elements(const std::string& file) {
  const std::size_t begin = 10 + static_cast<unsigned char>(file.at(8)) + 256U * static_cast<unsigned char>(file.at(9));
  std::vector<T> values((file.size() - begin) / sizeof(T));
  std::memcpy(values.data(), file.data() + begin, values.size() * sizeof(T));
  return values;
}

}  // namespace guardbit::tests
