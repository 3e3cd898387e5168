#include "hub/hub.hpp"

#include "hub/rollouts/rollout_engine.hpp"

namespace starling::hub {

namespace {

Logger logger(Log* log, std::string_view component) {
  return log == nullptr ? Logger() : Logger(*log, component);
}

}  // namespace

Hub::Hub(Store& store, Executor& executor, const Clock& clock, Log* log, Sessions::Options options)
    : store_(store),
      changes_(store, executor, clock, logger(log, "changes")),
      records_(store, clock, logger(log, "records")),
      documents_(changes_),
      sessions_(changes_, records_, documents_, executor, clock, logger(log, "link"), options),
      rollouts_(std::make_unique<RolloutEngine>(changes_, records_, documents_, sessions_, executor, clock,
                                                logger(log, "rollouts"))) {}

Hub::~Hub() = default;

Result<void> Hub::load() {
  const auto stored = store_.load();
  if (!stored) return fail(stored);
  if (auto loaded = changes_.load(*stored); !loaded) return loaded;
  records_.load(*stored);
  sessions_.watch_records(*stored);
  rollouts_->load();
  return {};
}

void Hub::tick() {
  sessions_.tick();
  rollouts_->tick();
  records_.flush();
  records_.count_modules();
}

void Hub::stop() {
  sessions_.stop();
  records_.flush_all();
}

}  // namespace starling::hub
