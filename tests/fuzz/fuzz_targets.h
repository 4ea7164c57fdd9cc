#pragma once
/// The readers of files and texts as fuzz targets: each takes bytes from nowhere and must end normally or in a
/// sim::UserError. Anything else (another exception, an abort, a leak, a sanitizer's complaint, more than 512 MB, more
/// than 5 s) is a bug. docs/robustness.md says how they are run.
#include <array>
#include <string_view>

namespace guardbit::tests {

using FuzzTarget = void (*)(std::string_view bytes);

void fuzz_safetensors(std::string_view bytes);
void fuzz_npy(std::string_view bytes);
void fuzz_trace(std::string_view bytes);          ///< trace.json of a bundle whose other files are right
void fuzz_trace_weights(std::string_view bytes);  ///< its weights, with their hash made right
void fuzz_windows(std::string_view bytes);        ///< token ids, JSON and .npy
void fuzz_hugging_face(std::string_view bytes);   ///< config.json
void fuzz_shard_index(std::string_view bytes);    ///< model.safetensors.index.json over two shards
void fuzz_llama2c(std::string_view bytes);        ///< checkpoint
void fuzz_tokenizer_json(std::string_view bytes);
void fuzz_tokenizer_bin(std::string_view bytes);
void fuzz_accelerator(std::string_view bytes);  ///< TOML
void fuzz_overrides(std::string_view bytes);    ///< --set, one a line
void fuzz_sweep(std::string_view bytes);        ///< TOML
void fuzz_store_plan(std::string_view bytes);   ///< as it is, and with its checksum made right
void fuzz_store_point(std::string_view bytes);  ///< likewise; also as a record of a failure
void fuzz_condition(std::string_view bytes);    ///< keep = [...] of sweeps, --where of pareto
void fuzz_conform(std::string_view bytes);      ///< vectors, in every layout
void fuzz_result(std::string_view bytes);       ///< result.json to every report and to the page
void fuzz_bathtub(std::string_view bytes);      ///< bathtub.json, points of a sweep
void fuzz_compare(std::string_view bytes);      ///< result.json against a good one
void fuzz_golden(std::string_view bytes);       ///< as it is, and with its checksum made right
void fuzz_suite(std::string_view bytes);        ///< TOML
void fuzz_gate(std::string_view bytes);         ///< --fail-on
void fuzz_variant(std::string_view bytes);      ///< --variants

struct NamedFuzzTarget {
  std::string_view name;  ///< of its folder of seeds
  FuzzTarget run;
};
inline constexpr std::array kFuzzTargets = {
    NamedFuzzTarget{"safetensors", fuzz_safetensors},
    NamedFuzzTarget{"npy", fuzz_npy},
    NamedFuzzTarget{"trace", fuzz_trace},
    NamedFuzzTarget{"trace_weights", fuzz_trace_weights},
    NamedFuzzTarget{"windows", fuzz_windows},
    NamedFuzzTarget{"hugging_face", fuzz_hugging_face},
    NamedFuzzTarget{"shard_index", fuzz_shard_index},
    NamedFuzzTarget{"llama2c", fuzz_llama2c},
    NamedFuzzTarget{"tokenizer_json", fuzz_tokenizer_json},
    NamedFuzzTarget{"tokenizer_bin", fuzz_tokenizer_bin},
    NamedFuzzTarget{"accelerator", fuzz_accelerator},
    NamedFuzzTarget{"overrides", fuzz_overrides},
    NamedFuzzTarget{"sweep", fuzz_sweep},
    NamedFuzzTarget{"store_plan", fuzz_store_plan},
    NamedFuzzTarget{"store_point", fuzz_store_point},
    NamedFuzzTarget{"condition", fuzz_condition},
    NamedFuzzTarget{"conform", fuzz_conform},
    NamedFuzzTarget{"result", fuzz_result},
    NamedFuzzTarget{"bathtub", fuzz_bathtub},
    NamedFuzzTarget{"compare", fuzz_compare},
    NamedFuzzTarget{"golden", fuzz_golden},
    NamedFuzzTarget{"suite", fuzz_suite},
    NamedFuzzTarget{"gate", fuzz_gate},
    NamedFuzzTarget{"variant", fuzz_variant},
};

/// Runs a target; a UserError is looked at and swallowed, everything else goes on. std::logic_error if the error says
/// nothing or has a code that no bad input has.
void run_fuzz_target(FuzzTarget run, std::string_view bytes);

}  // namespace guardbit::tests
