#include "sim/sweep/stored_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "sim/base/error.h"

namespace guardbit::sim {

using nlohmann::json;

/// Events of the parser, which calls these functions by name. Depth 1 is the result itself; keys_[d] is the last key at
/// depth d.
class StoredResultReader {
 public:
  explicit StoredResultReader(StoredResult& result) : result_(result) {}

  bool null() { return add({}); }
  bool boolean(bool) { return add({}); }
  bool number_integer(std::int64_t value) { return add({.kind = StoredValue::Kind::kInteger, .integer = value}); }
  bool number_unsigned(std::uint64_t value) { return number_integer(static_cast<std::int64_t>(value)); }
  bool number_float(double value, const std::string&) { return add({.kind = StoredValue::Kind::kReal, .real = value}); }
  bool string(const std::string& value) {
    const std::size_t begin = result_.texts_.size();
    result_.texts_ += value;
    return add({.kind = StoredValue::Kind::kText, .begin = begin, .size = value.size()});
  }
  bool binary(const json::binary_t&) { return false; }  // JSON has none
  bool start_object(std::size_t) {
    ++depth_;
    if (depth_ == 2) section_ = section_of(keys_[1]);
    return true;
  }
  bool start_array(std::size_t) {
    ++depth_;
    if (depth_ == kOpsDepth && section_ == Section::kOps) {
      result_.lists_.push_back({keys_[2], result_.list_values_.size(), result_.list_values_.size()});
    }
    if (depth_ == kCountsDepth && section_ == Section::kOpEvents) {
      result_.counts_.push_back({keys_[2], keys_[3], result_.numbers_.size(), result_.numbers_.size()});
    }
    return true;
  }
  bool key(const std::string& name) {
    if (depth_ < keys_.size()) keys_[depth_] = name;
    return true;
  }
  bool end_object() { return end(); }
  bool end_array() { return end(); }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) {
    throw UserError(ExitCode::kMalformedInput, error.what());
  }

 private:
  enum class Section : std::uint8_t { kOther, kEvents, kOps, kOpEvents };
  static constexpr std::size_t kOpsDepth = 3;     // result, ops, list
  static constexpr std::size_t kCountsDepth = 4;  // result, op_events, event, stage's list

  static Section section_of(const std::string& key) {
    if (key == "events") return Section::kEvents;
    if (key == "ops") return Section::kOps;
    return key == "op_events" ? Section::kOpEvents : Section::kOther;
  }

  bool end() {
    if (--depth_ == 1) section_ = Section::kOther;
    return true;
  }

  bool add(const StoredValue& value) {
    if (depth_ == 1) {
      result_.members_.push_back({keys_[1], value});
    } else if (depth_ == 2 && section_ == Section::kEvents) {
      result_.events_.push_back({keys_[2], value});
    } else if (depth_ == kOpsDepth && section_ == Section::kOps && !result_.lists_.empty()) {
      result_.list_values_.push_back(value);
      result_.lists_.back().end = result_.list_values_.size();
    } else if (depth_ == kCountsDepth && section_ == Section::kOpEvents && !result_.counts_.empty()) {
      if (value.kind != StoredValue::Kind::kInteger) {
        throw UserError(ExitCode::kMalformedInput,
                        fmt::format("/op_events/{}/{}: expected integers", keys_[2], keys_[3]));
      }
      result_.numbers_.push_back(value.integer);
      result_.counts_.back().end = result_.numbers_.size();
    }
    return true;
  }

  StoredResult& result_;
  std::size_t depth_ = 0;
  std::array<std::string, kCountsDepth> keys_;
  Section section_ = Section::kOther;
};

void StoredResult::read(const std::string& text) {
  members_.clear();
  events_.clear();
  lists_.clear();
  list_values_.clear();
  counts_.clear();
  numbers_.clear();
  texts_.clear();
  StoredResultReader reader(*this);
  (void)json::sax_parse(text, &reader);
  for (const Counts& counts : counts_) {
    if ((counts.end - counts.begin) % 2 == 0) continue;
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("/op_events/{}/{}: expected pairs of op and count", counts.event, counts.stage));
  }
}

const StoredValue& StoredResult::find(const std::vector<Named>& values, std::string_view name) {
  for (const Named& named : values) {
    if (named.name == name) return named.value;
  }
  throw UserError(ExitCode::kMalformedInput, fmt::format("has no {}", name));
}

const StoredValue& StoredResult::member(std::string_view name) const { return find(members_, name); }
const StoredValue& StoredResult::event(std::string_view name) const { return find(events_, name); }

std::span<const StoredValue> StoredResult::op_list(std::string_view name) const {
  if (lists_.empty()) return {};
  const auto list = std::find_if(lists_.begin(), lists_.end(), [&](const List& of) { return of.name == name; });
  if (list == lists_.end()) throw UserError(ExitCode::kMalformedInput, fmt::format("/ops has no {}", name));
  const std::size_t size = list->end - list->begin;
  const std::size_t expected = lists_.front().end - lists_.front().begin;
  if (size != expected) {
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("/ops/{}: got {} values; expected {}, one an op", name, size, expected));
  }
  return std::span(list_values_).subspan(list->begin, size);
}

}  // namespace guardbit::sim
