#pragma once
/// What a file is that is not what was expected, by how it begins.
#include <string_view>

namespace guardbit::sim {

/// " (this is a ZIP archive, perhaps .npz or a PyTorch checkpoint)" and the like for the first bytes of a file, nine of
/// them if it has so many; empty if they are of no format that is known here. JSON is not among them.
[[nodiscard]] std::string_view other_format(std::string_view start);

}  // namespace guardbit::sim
