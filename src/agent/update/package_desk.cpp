#include "agent/update/package_desk.hpp"

#include <utility>

namespace starling::agent {

Result<void> PackageDesk::ask(protocol::PackageRequest request) {
  asked_ = std::move(request);
  if (auto written = put(); !written) {
    asked_.reset();
    look_again_.reset();
    return written;
  }
  since_ = clock_.steady();
  look_again_ = since_ + pause;
  return {};
}

Result<void> PackageDesk::put() const {
  if (auto made = disk_.make_folder(folder); !made) return made;
  if (auto synced = disk_.sync_folder(""); !synced) return synced;
  return replace_file(disk_, path, text_of(*asked_), 0600);
}

std::optional<protocol::PackageAnswer> PackageDesk::answer() {
  if (!asked_ || clock_.steady() < *look_again_) return std::nullopt;
  // It goes when it is answered: looked at in this order, one that is gone without an answer was lost.
  const auto there = disk_.status(path);
  auto answer = protocol::parse_package_answer(port_.package_answer());
  const bool late = clock_.steady() >= since_ + patience;
  if (!answer || answer->request != sha256(text_of(*asked_))) {
    if (!late) {
      if (!there && there.error().code == ErrorCode::not_found) (void)put();
      look_again_ = clock_.steady() + pause;
      return std::nullopt;
    }
    answer = protocol::PackageAnswer{{},
                                     protocol::PackageOutcome::hindered,
                                     "starling-install does not answer: see `systemctl status "
                                     "starling-install.path starling-install.service`",
                                     {}};
  }
  asked_.reset();
  look_again_.reset();
  return std::move(*answer);
}

}  // namespace starling::agent
