#include "open_error.h"

#include <cerrno>
#include <cstring>

namespace moat {

OpenError ErrorOf(int error, const std::string& doing) {
  if (error == EPERM || error == EACCES) {
    return {"EPERM", "cannot " + doing + ": the privilege is missing (root, or CAP_NET_ADMIN and CAP_NET_BIND_SERVICE)"};
  }
  const char* name = strerrorname_np(error);
  return {name == nullptr ? "EIO" : name, "cannot " + doing + ": " + strerror(error)};
}

}  // namespace moat
