#pragma once
/// Reads a VCD text into the values of its signals over time. Shares no code with the writer; understands what a viewer
/// needs: declarations in nested scopes, times, changes of vectors and bits.
#include <cstdint>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace guardbit::tests {

struct VcdSignal {
  int width = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> changes;  ///< (time, value), in order of time

  std::uint64_t at(std::uint64_t time) const {
    std::uint64_t value = 0;
    for (const auto& [when, what] : changes) {
      if (when > time) break;
      value = what;
    }
    return value;
  }
};

struct Vcd {
  std::string timescale;
  std::map<std::string, VcdSignal> signals;  ///< by full name, scopes joined by dots
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
};

inline Vcd read_vcd(const std::string& text) {
  Vcd vcd;
  std::map<std::string, std::string> names;  // by identifier
  std::vector<std::string> scopes;
  std::istringstream stream(text);
  std::uint64_t now = 0;
  bool any_time = false;
  for (std::string word; stream >> word;) {
    const auto next = [&stream] {
      std::string part;
      stream >> part;
      return part;
    };
    const auto skip = [&] {
      std::string all;
      for (std::string part = next(); part != "$end" && stream; part = next()) all += part + " ";
      return all;
    };
    if (word == "$timescale") {
      vcd.timescale = skip();
    } else if (word == "$scope") {
      next();
      scopes.push_back(next());
      skip();
    } else if (word == "$upscope") {
      scopes.pop_back();
      skip();
    } else if (word == "$var") {
      next();
      const int width = std::stoi(next());
      const std::string id = next();
      std::string name;
      for (const std::string& scope : scopes) name += scope + ".";
      name += next();
      skip();
      names[id] = name;
      vcd.signals[name].width = width;
    } else if (word == "$dumpvars" || word == "$end") {
      continue;
    } else if (word.front() == '$') {
      skip();
    } else if (word.front() == '#') {
      const std::uint64_t time = std::stoull(word.substr(1));
      if (any_time && time < now) throw std::runtime_error("time goes back: " + word);
      if (!any_time) vcd.first_time = time;
      any_time = true;
      now = vcd.last_time = time;
    } else if (word.front() == 'b') {
      vcd.signals.at(names.at(next())).changes.emplace_back(now, std::stoull(word.substr(1), nullptr, 2));
    } else {
      vcd.signals.at(names.at(word.substr(1))).changes.emplace_back(now, word.front() == '1' ? 1 : 0);
    }
  }
  return vcd;
}

}  // namespace guardbit::tests
