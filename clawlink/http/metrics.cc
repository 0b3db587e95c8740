// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/metrics.h"

#include <array>
#include <string_view>

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;

constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

class MetricsText {
 public:
  MetricsText& gauge(std::string_view name, std::string_view help) { return family(name, help, "gauge"); }
  MetricsText& counter(std::string_view name, std::string_view help) { return family(name, help, "counter"); }
  MetricsText& sample(std::int64_t value) {
    text_ += name_ + " " + std::to_string(value) + "\n";
    return *this;
  }
  // Requires: a label's value without quotes, backslashes and line ends; here all are the relay's own words.
  MetricsText& sample(std::string_view label, std::string_view of, std::int64_t value) {
    text_ +=
        name_ + "{" + std::string(label) + "=\"" + std::string(of) + "\"} " + std::to_string(value) + "\n";
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  MetricsText& family(std::string_view name, std::string_view help, std::string_view type) {
    name_ = "clawlink_" + std::string(name);
    text_ +=
        "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
    return *this;
  }
  std::string text_;
  std::string name_;
};

}  // namespace

bool is_metrics(const HttpRequest& request) {
  return request.method == "GET" && request.path.size() == 1 && request.path[0] == "metrics";
}

std::string metrics_text(const RelayNumbers& numbers, const RelayCounts& counts, const std::string& version) {
  MetricsText text;
  text.gauge("info", "The relay's version.").sample("version", version, 1);
  text.gauge("agents", "Registered agents.")
      .sample("state", "online", numbers.agents_online)
      .sample("state", "offline", numbers.agents - numbers.agents_online);
  text.gauge("queues", "Agents that something waits for.").sample(numbers.queues);
  text.gauge("queued_messages", "Messages that wait or are leased.").sample(numbers.queued);
  text.gauge("queued_bytes", "Their bytes.").sample(numbers.queued_bytes);
  text.gauge("longest_queue_messages", "Messages of the agent with the most.").sample(numbers.longest_queue);
  text.gauge("leases", "Messages that somebody has and has not acknowledged.").sample(numbers.leases);
  text.gauge("tasks", "Tasks that are kept, by state.");
  for (int state = 0; state <= static_cast<int>(TaskState::kCancelled); ++state)
    text.sample("state", to_string(static_cast<TaskState>(state)),
                numbers.tasks.at(static_cast<std::size_t>(state)));
  text.gauge("dead_letters", "Messages that could not be delivered, the newest thousand at most.")
      .sample(numbers.dead_letters);
  text.gauge("files", "Shared files.").sample(numbers.files);
  text.gauge("connections", "Open connections.").sample(counts.connections);
  text.gauge("waiting_requests", "Requests that wait for something to come.")
      .sample("kind", "poll", counts.waiting_polls)
      .sample("kind", "message", counts.waiting_messages);
  text.gauge("streams", "Open streams.")
      .sample("kind", "events", counts.event_streams)
      .sample("kind", "socket", counts.sockets)
      .sample("kind", "a2a", counts.a2a_streams);
  text.gauge("push_configs", "Push notification configs of tasks that go on.").sample(numbers.push_configs);
  text.gauge("push_waiting", "Push notification configs that have something to tell.")
      .sample(numbers.push_waiting);
  text.gauge("push_sending", "Push notifications that are being sent.").sample(counts.pushing);
  text.counter("push_notifications_total", "Push notifications since the start.")
      .sample("result", "delivered", counts.pushed)
      .sample("result", "failed", counts.push_failures)
      .sample("result", "given_up", counts.pushes_given_up);
  text.counter("refused_requests_total", "Answers of 400 and above since the start.");
  for (const auto& [status, count] : counts.refused) text.sample("status", std::to_string(status), count);
  return text.take();
}

asio::awaitable<Reply> metrics_reply(RelayService& service, const HttpRequest& request) {
  const RelayCounts counts = *service.counts();
  CommitWriter::Work work = [&service, &request, &counts](StoreSession& session) {
    const RouteConfig& config = service.config().routes;
    const Result<Caller> caller = authenticate(session, config.access, request.presented);
    if (!caller) return error_reply(caller.error());
    const Result<RelayNumbers> numbers = count_all(session);
    if (!numbers) return error_reply(numbers.error());
    Reply reply;
    reply.content_type = kMetricsType;
    reply.body = metrics_text(*numbers, counts, config.version);
    return reply;
  };
  Reply reply = co_await service.run(std::move(work));
  co_return reply;
}

}  // namespace hostclaw::clawlink
