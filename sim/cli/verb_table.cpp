#include "sim/cli/verb_table.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "models/arith/presets.h"
#include "models/calibration/method.h"
#include "models/numerics/block_format.h"
#include "models/numerics/float_format.h"
#include "sim/cli/names.h"
#include "sim/config/accelerator.h"

namespace guardbit::sim::cli {
namespace {

template <class Rows>
void append_names(const Rows& rows, std::vector<std::string>& names) {
  for (const auto& row : rows) names.emplace_back(row.name);
}

/// What "TEXT:{a,b}" says an option accepts.
std::vector<std::string> listed_values(const std::string& type) {
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', std::min(open, type.size()));
  std::vector<std::string> values;
  if (close == std::string::npos) return values;
  std::istringstream list(type.substr(open + 1, close - open - 1));
  for (std::string value; std::getline(list, value, ',');) values.push_back(value);
  return values;
}

/// Names that an option's value is one of or starts with, although others are allowed too.
std::vector<std::string> registered_values(const CLI::Option& option) {
  std::vector<std::string> values;
  if (option.check_lname("preset")) append_names(arith::presets(), values);
  if (option.check_lname("variants")) append_names(calibration::methods(), values);
  if (option.check_lname("format") || option.check_lname("result-format")) {
    append_names(numerics::kFloatFormats, values);
    append_names(numerics::kBlockFormats, values);
  }
  if (option.check_lname("set")) {
    for (const auto& [key, value] : default_accelerator().keys) values.push_back(key + "=");
  }
  return values;
}

OptionRow row_of(const CLI::Option& option) {
  OptionRow row;
  if (option.get_positional()) {
    row.names.push_back(option.get_name(true));
  } else {
    for (const std::string& name : option.get_snames()) row.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) row.names.push_back("--" + name);
  }
  const bool is_flag = option.get_expected_max() == 0;
  if (!is_flag) {
    const std::string type = option.get_type_name();
    row.value = type.substr(0, type.find(':'));
    row.values = listed_values(type);
    if (row.values.empty()) row.values = registered_values(option);
  }
  row.description = option.get_description();
  row.fallback = option.get_default_str();
  row.required = option.get_required();
  return row;
}

void append_verb(const CLI::App& app, const std::string& name, std::vector<VerbRow>& table) {
  VerbRow row;
  row.name = name;
  row.summary = app.get_description();
  row.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    (option->get_positional() ? row.arguments : row.options).push_back(row_of(*option));
  }
  const std::vector<const CLI::App*> below = verbs_of(app);
  for (const CLI::App* verb : below) row.verbs.emplace_back(verb->get_name(), verb->get_description());
  table.push_back(std::move(row));
  for (const CLI::App* verb : below) append_verb(*verb, name + (name.empty() ? "" : " ") + verb->get_name(), table);
}

}  // namespace

std::vector<VerbRow> verb_table(const CLI::App& app) {
  std::vector<VerbRow> table;
  append_verb(app, "", table);
  return table;
}

}  // namespace guardbit::sim::cli
