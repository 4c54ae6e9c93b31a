#include "test.h"

/** Runs all tests, or those whose names contain an argument. */
int main(int count, char** arguments) {
  int run = 0;
  for (const auto& [name, test] : moat::testing::Cases()) {
    bool wanted = count == 1;
    for (int i = 1; i < count; i += 1) wanted = wanted || std::string(name).find(arguments[i]) != std::string::npos;
    if (!wanted) continue;
    const int before = moat::testing::Failures();
    test();
    run += 1;
    if (moat::testing::Failures() != before) std::cerr << "FAILED " << name << "\n";
  }
  std::cout << run << " tests, " << moat::testing::Failures() << " failures\n";
  return moat::testing::Failures() == 0 ? 0 : 1;
}
