#pragma once
/// What gather takes from a point's result (point_result.h), read in one pass into memory that the next result uses
/// again: ten thousand results hold millions of numbers.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::sim {

/// A scalar of a result; text is a part of StoredResult::text().
struct StoredValue {
  enum class Kind : std::uint8_t { kNull, kInteger, kReal, kText };
  Kind kind = Kind::kNull;
  std::int64_t integer = 0;
  double real = 0;
  std::size_t begin = 0;
  std::size_t size = 0;
};

class StoredResult {
 public:
  /// Counts of one event at one stage: op index, count, op index, count, ...
  struct Counts {
    std::string event;
    std::string stage;
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  /// UserError kMalformedInput, without the file's name, if `json` is no JSON, or has counts without their op.
  void read(const std::string& json);

  /// A member of the result, of its `events`, a list of its `ops` (empty if there are no ops). UserError
  /// kMalformedInput if there is none; lists are as long as the first one.
  [[nodiscard]] const StoredValue& member(std::string_view name) const;
  [[nodiscard]] const StoredValue& event(std::string_view name) const;
  [[nodiscard]] std::span<const StoredValue> op_list(std::string_view name) const;
  /// In the order of the file.
  [[nodiscard]] std::span<const Counts> op_events() const { return counts_; }
  [[nodiscard]] std::span<const std::int64_t> numbers_of(const Counts& counts) const {
    return std::span(numbers_).subspan(counts.begin, counts.end - counts.begin);
  }
  /// Valid until the next read().
  [[nodiscard]] std::string_view text(const StoredValue& value) const {
    return std::string_view(texts_).substr(value.begin, value.size);
  }

 private:
  friend class StoredResultReader;
  struct Named {
    std::string name;
    StoredValue value;
  };
  struct List {
    std::string name;
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  [[nodiscard]] static const StoredValue& find(const std::vector<Named>& values, std::string_view name);

  std::vector<Named> members_;
  std::vector<Named> events_;
  std::vector<List> lists_;
  std::vector<StoredValue> list_values_;
  std::vector<Counts> counts_;
  std::vector<std::int64_t> numbers_;
  std::string texts_;
};

}  // namespace guardbit::sim
