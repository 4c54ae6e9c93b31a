#pragma once

#include <string>

namespace moat {

/** Why the plane could not be opened: the errno's name (or ENOTUN), and a sentence for people. */
struct OpenError {
  std::string code;
  std::string message;

  bool Set() const { return !code.empty(); }
};

/** The error of a failed system call; EPERM also stands for EACCES. `doing` completes "cannot ...". */
OpenError ErrorOf(int error, const std::string& doing);

}  // namespace moat
