#include "cli/key_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/files.hpp"
#include "cli/answer.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"
#include "cli/write_outcome.hpp"

namespace starling::cli {
namespace {

// Where a new key goes.
class KeyOutput {
 public:
  void add_option(CLI::App& app) {
    app.add_option("--to", file_, "Write the key to this new file, which only you can read")
        ->type_name("FILE");
  }
  // Before there is a key that could get lost. Errors: already_exists.
  Result<void> check() const {
    std::error_code ignored;
    if (file_.empty() || !std::filesystem::exists(std::filesystem::symlink_status(file_, ignored))) return {};
    return fail(ErrorCode::already_exists, file_ + " exists: choose another name");
  }
  // Without a file the key alone goes to the output; the rest is for people. Errors: those of writing the
  // file, and then the key is on the output after all.
  Result<void> show(Session& session, JsonObject answer) const {
    const std::string key = text_at(answer, {"key"});
    const std::string id = text_at(answer, {"id"});
    const bool to_file = !file_.empty() && !key.empty();
    const auto written = to_file ? write_file_durably(file_, key + "\n", 0600) : Result<void>();
    if (to_file && written) answer.erase("key");
    if (print_json(session, answer)) return written;
    if (key.empty()) {
      session.console.note("the hub did not show the key; rotate it to get one that works");
    } else if (to_file && written) {
      session.console.note("the key is in " + file_ + ", which only you can read; id " + id);
    } else {
      session.console.line(key);
      session.console.note("this is the only time that the key is shown; id " + id);
    }
    return written;
  }

 private:
  std::string file_;
};

class CreateKey final : public Command {
 public:
  explicit CreateKey(CLI::App& app) {
    app.add_option("NAME", name_, "For people: who or what uses it")->required()->type_name(" ");
    auto* role =
        app.add_option("--role", role_, "What it may do; each role may do all that the ones before it may")
            ->check(CLI::IsMember({"viewer", "guardian", "operator", "admin"}));
    app.add_flag("--enrolment", enrolment_, "A key for devices: it registers them and can do nothing else")
        ->excludes(role);
    app.add_option("--on", selector_, "Only for devices whose labels match")->type_name("SELECTOR");
    app.add_option("--expires-days", days_, "Ends after that many days; default: never")
        ->type_name("DAYS")
        ->check(CLI::Range(1, 3650));
    output_.add_option(app);
    app.parse_complete_callback([this] {
      if (role_.empty() && !enrolment_) {
        throw CLI::ValidationError("key create",
                                   "give --role viewer|guardian|operator|admin, or --enrolment");
      }
    });
  }

  Result<ExitCode> run(Session& session) override {
    if (auto good = output_.check(); !good) return fail(good);
    JsonObject body{{"name", name_}, {"kind", enrolment_ ? "enrolment" : "api"}};
    if (!enrolment_) body["role"] = role_;
    if (!selector_.empty()) body["selector"] = selector_;
    if (days_ > 0) body["expires_in_days"] = days_;
    const auto answer = session.api.write(http::Method::post, "/api/v1/keys", body);
    if (!answer) return fail(answer);
    if (auto shown = output_.show(session, *answer); !shown) return fail(shown);
    return ExitCode::done;
  }

 private:
  KeyOutput output_;
  std::string name_, role_, selector_;
  bool enrolment_ = false;
  std::int64_t days_ = 0;
};

class ListKeys final : public Command {
 public:
  explicit ListKeys(CLI::App&) {}

  Result<ExitCode> run(Session& session) override {
    const auto list = session.api.list("/api/v1/keys");
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    Table table({{"ID"},
                 {"NAME", Table::Align::left, true},
                 {"MAY", Table::Align::left, true},
                 {"CREATED"},
                 {"EXPIRES"}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& key = as_object(item);
      table.add({text_at(key, {"id"}), text_at(key, {"name"}), grants_of(key),
                 age(text_at(key, {"created_at"}), session.clock.wall()),
                 expiry_of(key, session.clock.wall())});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    return ExitCode::done;
  }

 private:
  static std::string grants_of(const JsonObject& key) {
    if (text_at(key, {"kind"}) == "enrolment") return "enrol devices";
    std::string out;
    for (const Json& item : array_at(key, {"grants"})) {
      const JsonObject& grant = as_object(item);
      const std::string selector = text_at(grant, {"selector"});
      out += fmt::format("{}{} of {}{}", out.empty() ? "" : "; ", text_at(grant, {"role"}),
                         text_at(grant, {"fleet"}), selector.empty() ? "" : " on " + selector);
    }
    return out.empty() ? text_at(key, {"role"}) : out;
  }

  static std::string expiry_of(const JsonObject& key, WallTime now) {
    const std::string time = text_at(key, {"expires_at"});
    return time.empty() ? std::string("never") : age(time, now);
  }
};

class RotateKey final : public Command {
 public:
  explicit RotateKey(CLI::App& app) {
    app.add_option("ID", id_, "The key's id")->required()->type_name(" ");
    output_.add_option(app);
  }

  Result<ExitCode> run(Session& session) override {
    if (auto good = output_.check(); !good) return fail(good);
    const auto answer =
        session.api.write(http::Method::post, path_of({"keys", id_, "rotate"}), Json(nullptr));
    if (!answer) return fail(answer);
    if (auto shown = output_.show(session, *answer); !shown) return fail(shown);
    return ExitCode::done;
  }

 private:
  KeyOutput output_;
  std::string id_;
};

class RevokeKey final : public Command {
 public:
  explicit RevokeKey(CLI::App& app) {
    app.add_option("ID", id_, "The key's id")->required()->type_name(" ");
    app.add_option("--reason", reason_, "Why; kept in the change log");
  }

  Result<ExitCode> run(Session& session) override {
    Parameters query;
    if (!reason_.empty()) query.emplace_back("reason", reason_);
    auto answer = session.api.write(http::Method::del, path_of({"keys", id_}), Json(nullptr), query);
    if (!answer) return fail(answer);
    answer->erase("targeted");
    return finish_write(session, std::move(*answer), "revoked key " + id_);
  }

 private:
  std::string id_, reason_;
};

}  // namespace

void add_key_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("key", "Keys");
  noun.require_subcommand(1);
  add_command<CreateKey>(tree, noun, "create", "Create a key; it is printed once and kept nowhere")
      .footer(
          "Examples:\n"
          "  starling key create alice --role operator --expires-days 90\n"
          "  starling key create nurse --role guardian --on room=nursery\n"
          "  starling key create factory --enrolment --to enrolment.key");
  add_command<ListKeys>(tree, noun, "list", "List keys without their secrets");
  add_command<RotateKey>(tree, noun, "rotate", "Replace a key's secret; the old one ends at once");
  add_command<RevokeKey>(tree, noun, "revoke", "End a key");
}

}  // namespace starling::cli
