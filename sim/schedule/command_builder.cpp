#include "sim/schedule/command_builder.h"

#include "models/numerics/check.h"

namespace guardbit::sim {

namespace {

Purpose usual_purpose(UnitKind unit) {
  switch (unit) {
    case UnitKind::kLoad: return Purpose::kActivations;
    case UnitKind::kMatrix: return Purpose::kProduct;
    case UnitKind::kNorm: return Purpose::kNorm;
    case UnitKind::kVector: return Purpose::kElementwise;
    case UnitKind::kRotate: return Purpose::kRotation;
    case UnitKind::kStore: return Purpose::kResults;
  }
  fail_check(__FILE__, __LINE__, "unit kind", "unknown enumerator");
}

}  // namespace

TokenId CommandBuilder::tag(TokenId token, Purpose purpose) {
  commands_[token].purpose = purpose;
  return token;
}

void CommandBuilder::hold_accumulators(TokenId product, TokenId reader, std::uint64_t bytes) {
  commands_[product].allocate_accumulator_bytes = bytes;
  commands_[reader].free_accumulator_bytes = bytes;
}

TokenId CommandBuilder::append(Command command) {
  const auto token = static_cast<TokenId>(commands_.size());
  command.op_index = op_index_;
  command.signals = token;
  commands_.push_back(std::move(command));
  return token;
}

void CommandBuilder::place(const std::string& tensor, std::uint64_t bytes) {
  const bool is_new = addresses_.emplace(tensor, next_address_).second;
  GUARDBIT_CHECK(is_new, tensor + " is placed twice");
  next_address_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::uint64_t CommandBuilder::address_of(const std::string& tensor) const {
  const auto found = addresses_.find(tensor);
  GUARDBIT_CHECK(found != addresses_.end(), tensor + " has no address");
  return found->second;
}

TokenId CommandBuilder::load(const std::string& tensor, std::uint64_t offset, std::uint64_t bytes, Tokens waits,
                             std::uint64_t allocate_bytes) {
  const TokenId token =
      compute(UnitKind::kLoad, DmaWork{address_of(tensor) + offset, bytes}, std::move(waits), {}, /*free_bytes=*/0);
  commands_.back().allocate_bytes = allocate_bytes;
  return token;
}

TokenId CommandBuilder::store(const std::string& tensor, std::uint64_t offset, std::uint64_t bytes, Tokens waits,
                              std::uint64_t free_bytes) {
  return compute(UnitKind::kStore, DmaWork{address_of(tensor) + offset, bytes}, std::move(waits), {}, free_bytes);
}

TokenId CommandBuilder::compute(UnitKind unit, Work work, Tokens waits, std::function<void()> values,
                                std::uint64_t free_bytes) {
  Command command;
  command.unit = unit;
  command.purpose = usual_purpose(unit);
  command.work = work;
  command.waits = std::move(waits);
  command.compute = std::move(values);
  if (free_bytes > 0) command.frees.push_back(free_bytes);
  return append(std::move(command));
}

CommandBuilder::Tokens CommandBuilder::tokens_for(const std::string& tensor, Range rows) const {
  Tokens tokens;
  const auto found = ready_.find(tensor);
  if (found == ready_.end()) return tokens;
  for (const ReadyRows& entry : found->second) {
    if (entry.rows.begin < rows.end && rows.begin < entry.rows.end) tokens.push_back(entry.token);
  }
  return tokens;
}

}  // namespace guardbit::sim
