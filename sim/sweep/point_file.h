#pragma once
/// The text of one stored point and whether it can be trusted. Four lines of one JSON object:
///
///     {"schema":"guardbit-point/2","key":"<K>","result_sha256":"<R>","checksum":"<C>",
///     "point":{...},          PointResolver::description(), whose SHA-256 is K
///     "result":{...},         what is the same on every machine; R is its SHA-256
///     "provenance":{...}}     what is not: host, time, vector target, commit
///
/// C is the SHA-256 of K, the result and the provenance, each with a line end. Test: tests/unit/sweep_store_test.cpp.
#include <string>
#include <string_view>

namespace guardbit::sim {

struct PointFile {
  std::string key;
  std::string point;  ///< JSON on one line each
  std::string result;
  std::string provenance;
  std::string result_sha256;
};

/// `provenance` and `result` are JSON objects without line ends; `point` hashes to `key` (internal error otherwise).
[[nodiscard]] std::string point_text(const std::string& key, const std::string& point, const std::string& result,
                                     const std::string& provenance);

/// What is wrong with a file that should hold the point `key`; empty and `file` filled if nothing is. Every byte
/// counts: the text must be what point_text() writes.
[[nodiscard]] std::string read_point(std::string_view text, const std::string& key, PointFile& file);

}  // namespace guardbit::sim
