#pragma once
/// Appends commands, numbers tokens, and remembers which tokens make which rows of a DRAM tensor available.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/modules/command.h"
#include "sim/schedule/value_engine.h"

namespace guardbit::sim {

class CommandBuilder {
 public:
  using Tokens = std::vector<TokenId>;

  /// Starts the commands of an op; the account by op uses its index.
  void begin_op(std::size_t op_index) { op_index_ = static_cast<std::uint32_t>(op_index); }

  /// Names what a command is for, if it is not what its unit mostly does: activations for a load, results for a store,
  /// the product, the norm, a rotation, element-wise work for the vector unit. Returns the token.
  TokenId tag(TokenId token, Purpose purpose);

  /// DRAM -> scratchpad. `allocate_bytes` reserves everything that the block which this load begins will need until a
  /// later command frees it, so that a block that has started can always finish.
  TokenId load(const std::string& tensor, std::uint64_t offset, std::uint64_t bytes, Tokens waits,
               std::uint64_t allocate_bytes = 0);
  /// Scratchpad -> DRAM; frees `free_bytes` when done.
  TokenId store(const std::string& tensor, std::uint64_t offset, std::uint64_t bytes, Tokens waits,
                std::uint64_t free_bytes);
  TokenId compute(UnitKind unit, Work work, Tokens waits, std::function<void()> values, std::uint64_t free_bytes = 0);
  /// The product's results occupy `bytes` of the accumulator buffer until `reader` has read them.
  void hold_accumulators(TokenId product, TokenId reader, std::uint64_t bytes);

  /// Declares a DRAM tensor of that size, at an address of its own (aligned to `kAlignment`); once per name.
  void place(const std::string& tensor, std::uint64_t bytes);

  void rows_ready(const std::string& tensor, Range rows, TokenId token) { ready_[tensor].push_back({rows, token}); }
  /// Tokens after which rows of the tensor are in DRAM; none for weights and inputs, which always are.
  Tokens tokens_for(const std::string& tensor, Range rows) const;

  std::vector<Command> take() { return std::move(commands_); }

 private:
  struct ReadyRows {
    Range rows;
    TokenId token;
  };
  static constexpr std::uint64_t kAlignment = 4096;

  TokenId append(Command command);
  std::uint64_t address_of(const std::string& tensor) const;

  std::uint32_t op_index_ = 0;
  std::uint64_t next_address_ = 0;
  std::vector<Command> commands_;
  std::map<std::string, std::uint64_t> addresses_;
  std::map<std::string, std::vector<ReadyRows>> ready_;
};

}  // namespace guardbit::sim
