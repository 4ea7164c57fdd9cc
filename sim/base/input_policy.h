#pragma once
/// What this process accepts of input files beyond what their readers check: set once by the command line, before
/// anything is read. Test: tests/fuzz/malformed_input_test.py, cases GEN-07 and PATH-05.
#include <cstdint>
#include <filesystem>
#include <string>

namespace guardbit::sim {

struct InputPolicy {
  std::uint64_t max_bytes = UINT64_MAX;             ///< of one file; a larger one is refused before it is read
  bool refuses_hard_links = false;                  ///< files that other files name must have one name only
  void (*warn)(const std::string& text) = nullptr;  ///< told of hard links that are accepted; null: nobody is
};

void set_input_policy(const InputPolicy& policy);
[[nodiscard]] const InputPolicy& input_policy();

/// For a file that another file names (of a bundle, a shard): a second name of it may lie outside the directory, whose
/// owner can then change it behind the reader's back. Nothing if the file does not exist; opening it says so.
/// UserError kMalformedInput if the policy refuses hard links, else warns.
void check_hard_links(const std::filesystem::path& file);

}  // namespace guardbit::sim
