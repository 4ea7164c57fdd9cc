#pragma once
/// The importers behind import_model(), one .cpp each.
#include "sim/trace/model_import.h"

namespace guardbit::sim {

ImportedModel import_hugging_face(const std::filesystem::path& directory);
ImportedModel import_llama2c(const std::filesystem::path& file);

}  // namespace guardbit::sim
