#include "cli/release_pack_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>

#include "base/files.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

namespace fs = std::filesystem;

class PackRelease final : public Command {
 public:
  explicit PackRelease(CLI::App& app) {
    source_.add_to(app);
    app.add_option("-o,--out", file_, "The tar to write; default: VERSION_ARCHITECTURE.tar here")
        ->type_name("FILE");
  }

  Result<ExitCode> run(Session& session) override {
    const auto metadata = source_.metadata();
    if (!metadata) return fail(metadata);
    auto image = release::ReleaseImage::of_payload(source_.folder(), *metadata);
    if (!image) return fail(image);
    const fs::path file = file_.empty() ? fmt::format("{}_{}.tar", to_string(metadata->version),
                                                      to_string(metadata->architecture))
                                        : file_;
    const auto summary = release::write_tar(*image, file);
    if (!summary) return fail(summary);
    if (source_.bumps()) {
      const auto counted_up =
          write_file_durably(fs::path(source_.folder()) / "VERSION", to_string(metadata->version) + "\n");
      if (!counted_up) return fail(counted_up);
    }
    JsonObject answer = release_json(*summary);
    answer["file"] = file.string();
    if (print_json(session, answer)) return ExitCode::done;
    session.console.raw(release_text(*summary, image->left_out(), session.console.out_terminal()));
    session.console.line(fmt::format("written: {}", file.string()));
    return ExitCode::done;
  }

 private:
  ReleaseSource source_;
  std::string file_;
};

}  // namespace

void ReleaseSource::add_to(CLI::App& app) {
  app.add_option("WORDS", words_,
                 "VERSION DESCRIPTION FOLDER: v1.2.3, what is in it, what becomes its payload")
      ->type_name(" ")
      ->required()
      ->expected(2, 3);
  app.add_option("--type", type_,
                 "When a device takes it: at its hour of the night, or as soon as nobody uses it")
      ->check(CLI::IsMember({"scheduled", "urgent"}))
      ->capture_default_str();
  app.add_option("--packages", packages_,
                 "Debian packages that it needs, with commas between: NAME or NAME=VERSION")
      ->type_name("P,P")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--architecture", architecture_, "Default: that of the programs in it, or else all")
      ->check(CLI::IsMember({"all", "amd64", "arm64", "armhf"}));
  app.add_option("--bump", bump_,
                 "Instead of VERSION: the next one after that in FOLDER/VERSION, and write it there")
      ->check(CLI::IsMember({"major", "minor", "patch"}));
  app.parse_complete_callback([this, &app] {
    if (words_.size() == (bump_.empty() ? 3 : 2)) return;
    throw CLI::ValidationError("release " + app.get_name(),
                               "give VERSION DESCRIPTION FOLDER, or with --bump "
                               "DESCRIPTION FOLDER");
  });
}

Result<protocol::Version> ReleaseSource::version() const {
  if (!bumps()) return protocol::parse_version(words_.front());
  const fs::path file = fs::path(folder()) / "VERSION";
  const auto text = read_file(file, protocol::max_version_bytes + 2);
  if (!text) return fail(text, "the version to count up from");
  const auto version = protocol::parse_version(CLI::detail::trim_copy(*text));
  if (!version) return fail(version, file.string());
  using enum protocol::VersionPart;
  return protocol::bump(*version, bump_ == "major" ? major : bump_ == "minor" ? minor : patch);
}

Result<protocol::ReleaseMetadata> ReleaseSource::metadata() const {
  protocol::ReleaseMetadata out;
  const auto its_version = version();
  if (!its_version) return fail(its_version);
  out.version = *its_version;
  out.description = words_[words_.size() - 2];
  for (const std::string& package : packages_) {
    if (!package.empty()) out.packages.push_back(package);
  }
  const auto type = protocol::parse_update_type(type_);
  if (!type) return fail(type);
  out.type = *type;
  std::optional<protocol::Architecture> wanted;
  if (!architecture_.empty()) {
    const auto parsed = protocol::parse_architecture(architecture_);
    if (!parsed) return fail(parsed);
    wanted = *parsed;
  }
  const auto architecture = release::architecture_of(folder(), wanted);
  if (!architecture) return fail(architecture);
  out.architecture = *architecture;
  return out;
}

std::string byte_size(std::uint64_t bytes) {
  constexpr std::array units{"KiB", "MiB", "GiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < units.size(); ++unit)
    size /= 1024;
  return fmt::format("{:.1f} {}", size, units[unit]);
}

namespace {

std::string python_packages(const release::Summary& summary) {
  if (!summary.has_requirements) return "";
  if (summary.wheels > 0) {
    return fmt::format("requirements.txt, from {} in wheels/",
                       counted(static_cast<std::int64_t>(summary.wheels), "wheel"));
  }
  return "requirements.txt is NOT installed, for want of wheels: pip download -d wheels -r requirements.txt";
}

}  // namespace

std::string release_text(const release::Summary& summary, const std::vector<std::string>& left_out,
                         const Terminal& terminal) {
  const auto& metadata = summary.metadata;
  std::string out =
      render_facts({{"version", Cell(to_string(metadata.version), Colour::bold)},
                    {"for", Cell(to_string(metadata.architecture))},
                    {"type", Cell(to_string(metadata.type))},
                    {"description", Cell(metadata.description)},
                    {"packages", Cell(fmt::format("{}", fmt::join(metadata.packages, ", ")))},
                    {"python", Cell(python_packages(summary))},
                    {"left out", Cell(fmt::format("{}", fmt::join(left_out, ", ")))},
                    {"size", Cell(fmt::format("{}, {}", byte_size(summary.bytes),
                                              counted(static_cast<std::int64_t>(summary.files), "file")))},
                    {"sha256", Cell(summary.sha256.hex())}},
                   terminal);
  Table table(
      {{"CONTENT", Table::Align::left, true}, {"FILES", Table::Align::right}, {"SIZE", Table::Align::right}});
  for (const auto& place : summary.places)
    table.add({place.path, fmt::format("{}", place.files), byte_size(place.bytes)});
  return out + "\n" + table.render(terminal);
}

JsonObject release_json(const release::Summary& summary) {
  JsonObject out = protocol::to_json(summary.metadata);
  out["bytes"] = summary.bytes;
  out["sha256"] = summary.sha256.hex();
  out["files"] = summary.files;
  out["has_requirements"] = summary.has_requirements;
  out["wheels"] = summary.wheels;
  JsonArray contents;
  for (const auto& place : summary.places)
    contents.push_back(JsonObject{{"path", place.path}, {"files", place.files}, {"bytes", place.bytes}});
  out["contents"] = std::move(contents);
  return out;
}

void add_release_pack_command(CommandTree& tree, CLI::App& noun) {
  add_command<PackRelease>(tree, noun, "pack", "Make a release's file from a folder, without a hub")
      .footer(
          "The same folder and words give the same bytes, on any machine. FOLDER/VERSION is written anew in "
          "the\n"
          "release; folders called .git and __pycache__ are left out.\n"
          "\n"
          "Examples:\n"
          "  starling release pack v1.2.3 'Bug fixes' ./pi_client\n"
          "  starling release pack v1.3.0 'New codec' --packages libopus0,libopus-dev ./pi_client -o "
          "v1.3.0.tar\n"
          "  starling release pack --bump patch 'Bug fixes' ./pi_client");
}

}  // namespace starling::cli
