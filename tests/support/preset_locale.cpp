// A library that sets the process's locale before main, as a host program may: the C library's to the environment's,
// the C++ library's to one with commas as decimal points and grouped digits. To be preloaded.
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <locale>
#include <string>

namespace {

class CommaPunctuation : public std::numpunct<char> {
 protected:
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

__attribute__((constructor)) void preset_locale() {
  std::locale::global(std::locale(std::locale::classic(), new CommaPunctuation));
  if (std::setlocale(LC_ALL, "") == nullptr) std::fputs("preset_locale: no such locale\n", stderr);
}

}  // namespace
