// SPDX-License-Identifier: Apache-2.0
// Asks a server on loopback.
#pragma once

#include <string>

namespace madvtrace {

// GET http://ADDRESS/PATH: the whole answer with its head, empty if there was none.
// `address` is IPv4 and a port, "127.0.0.1:8080".
std::string http_get(const std::string& address, const std::string& path);

// The body of such an answer.
std::string http_body(const std::string& answer);

}  // namespace madvtrace
