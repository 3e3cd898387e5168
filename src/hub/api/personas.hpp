// Purpose: /api/v1/personas: read, write, import, remove and switch personas.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"

namespace starling::hub {

class Personas {
 public:
  explicit Personas(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  Reply list(const Call& call);
  Reply get(const Call& call);
  asio::awaitable<Reply> put(Call& call);
  asio::awaitable<Reply> import(Call& call);
  asio::awaitable<Reply> remove(Call& call);
  asio::awaitable<Reply> activate(Call& call);

  Services& services_;
};

}  // namespace starling::hub
