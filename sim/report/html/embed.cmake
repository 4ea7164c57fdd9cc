# Run at build time: writes OUTPUT, which defines assets.h from STYLE (report.css) and SCRIPT (report.js).
file(READ "${STYLE}" style)
file(READ "${SCRIPT}" script)
foreach(content IN ITEMS "${style}" "${script}")
  if(content MATCHES "\\)guardbit_asset\"")
    message(FATAL_ERROR "an asset holds what ends the string literal it is embedded in")
  endif()
endforeach()
file(WRITE "${OUTPUT}"
"#include \"sim/report/html/assets.h\"

namespace guardbit::sim::html {

const std::string_view kStyle = R\"guardbit_asset(${style})guardbit_asset\";
const std::string_view kScript = R\"guardbit_asset(${script})guardbit_asset\";

}  // namespace guardbit::sim::html
")
