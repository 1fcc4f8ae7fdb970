package dev.pluginrunner.client;

import dev.pluginrunner.v1.CancelJobRequest;
import dev.pluginrunner.v1.DeleteJobRequest;
import dev.pluginrunner.v1.GetJobRequest;
import dev.pluginrunner.v1.GetPluginRequest;
import dev.pluginrunner.v1.GetServerInfoRequest;
import dev.pluginrunner.v1.GetServerInfoResponse;
import dev.pluginrunner.v1.Job;
import dev.pluginrunner.v1.JobEvent;
import dev.pluginrunner.v1.JobFilter;
import dev.pluginrunner.v1.ListJobsRequest;
import dev.pluginrunner.v1.ListPluginsRequest;
import dev.pluginrunner.v1.Plugin;
import dev.pluginrunner.v1.PluginRunnerGrpc;
import dev.pluginrunner.v1.RunPluginRequest;
import dev.pluginrunner.v1.SubmitJobRequest;
import dev.pluginrunner.v1.SubmitJobResponse;
import dev.pluginrunner.v1.ValidateParamsResponse;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * A connection to a plugin-runner service. Threads may share it. Close it when it is no longer needed.
 *
 * <p>Every method throws {@link ActionNotFoundException}, {@link ValidationException} or {@link PluginExecutionException}. An
 * interrupt of the waiting thread ends the call: the method throws {@link CancellationException}, and the thread stays
 * interrupted. A method named {@code …Async} returns a future that fails with the same exceptions; cancelling the future ends
 * the call. A call that the service has not taken is repeated a few times.
 *
 * <p>Params are a map, a record or a bean, and null for none; {@link Json} says what may be in them, and what results are.
 */
public final class PluginRunnerClient implements AutoCloseable {
    /** How much longer the call may take than the run, so that the service's own word about the timeout arrives. */
    private static final Duration DEADLINE_GRACE = Duration.ofSeconds(5);

    private static final ActionOptions DEFAULTS = ActionOptions.builder().build();

    private final Connection connection;
    private final Duration heartbeatTimeout;
    private final Duration retryFor;
    private final ExecutorService threads = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "plugin-runner-watch");
        thread.setDaemon(true);
        return thread;
    });

    PluginRunnerClient(Connection connection, Duration heartbeatTimeout, Duration retryFor) {
        this.connection = connection;
        this.heartbeatTimeout = heartbeatTimeout;
        this.retryFor = retryFor;
    }

    /**
     * Connects to the service at {@code PLUGIN_RUNNER_ADDRESS}, else {@code 127.0.0.1:50151}, in plain text.
     *
     * @return a client to close
     */
    public static PluginRunnerClient connect() {
        return builder().build();
    }

    /**
     * Says where the service is, and how to speak to it.
     *
     * @return a builder
     */
    public static PluginRunnerClientBuilder builder() {
        return new PluginRunnerClientBuilder();
    }

    /**
     * Where calls go to.
     *
     * @return the address
     */
    public String address() {
        return connection.address();
    }

    /**
     * Runs one action without params.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @return its result
     */
    public Object run(String plugin, String action) {
        return run(plugin, action, null);
    }

    /**
     * Runs one action.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @param params a map or a record
     * @return its result
     */
    public Object run(String plugin, String action, Object params) {
        return run(plugin, action, params, DEFAULTS);
    }

    /**
     * Runs one action.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @param params a map or a record
     * @param options how to run it
     * @return its result; in mode {@link Mode#JOB} the job's id, as soon as the service has recorded it
     */
    public Object run(String plugin, String action, Object params, ActionOptions options) {
        return Waiting.await(runAsync(plugin, action, params, options));
    }

    /**
     * Runs one action.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @param params a map or a record
     * @return its result
     */
    public CompletableFuture<Object> runAsync(String plugin, String action, Object params) {
        return runAsync(plugin, action, params, DEFAULTS);
    }

    /**
     * Runs one action.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @param params a map or a record
     * @param options how to run it
     * @return its result; in mode {@link Mode#JOB} the job's id, as soon as the service has recorded it
     */
    public CompletableFuture<Object> runAsync(String plugin, String action, Object params, ActionOptions options) {
        if (options.mode() == Mode.JOB) {
            return Waiting.map(submitAsync(plugin, action, params, options), JobHandle::id);
        }
        RunPluginRequest request;
        try {
            request = Requests.run(plugin, action, params, options);
        } catch (PluginRunnerException refused) {
            return CompletableFuture.failedFuture(refused);
        }
        Duration limit = options.timeout() == null ? null : options.timeout().plus(DEADLINE_GRACE);
        return Waiting.map(call(PluginRunnerGrpc.getRunPluginMethod(), request, limit), response -> {
            options.warn(plugin, action, JobFailure.violations(response.getWarningsList()));
            return Json.fromValue(NonFinite.restore(response.getResult(), response.getNonFiniteList()));
        });
    }

    /**
     * Submits a job.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @param params a map or a record
     * @return the job, once the service has recorded it
     */
    public JobHandle submit(String plugin, String action, Object params) {
        return submit(plugin, action, params, DEFAULTS);
    }

    /**
     * Submits a job. Another try attaches to the same job.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @param params a map or a record
     * @param options how to run it
     * @return the job, once the service has recorded it
     */
    public JobHandle submit(String plugin, String action, Object params, ActionOptions options) {
        return Waiting.await(submitAsync(plugin, action, params, options));
    }

    /**
     * Submits a job. Another try attaches to the same job.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @param params a map or a record
     * @param options how to run it
     * @return the job, once the service has recorded it
     */
    public CompletableFuture<JobHandle> submitAsync(
            String plugin, String action, Object params, ActionOptions options) {
        SubmitJobRequest request;
        try {
            request = Requests.submit(plugin, action, params, options);
        } catch (PluginRunnerException refused) {
            return CompletableFuture.failedFuture(refused);
        }
        CompletableFuture<SubmitJobResponse> recorded = Retries.retrying(
                () -> connection.first(PluginRunnerGrpc.getSubmitJobMethod(), request, SubmitJobResponse::hasSnapshot));
        return Waiting.map(recorded, response -> {
            options.warn(
                    plugin, action, JobFailure.violations(response.getSnapshot().getWarningsList()));
            return job(response.getSnapshot().getJobId());
        });
    }

    /**
     * The job with an id, whoever submitted it. Asks nothing of the service.
     *
     * @param jobId the job
     * @return its handle
     */
    public JobHandle job(String jobId) {
        return new JobHandle(this, jobId);
    }

    /**
     * Watches a job from its first event.
     *
     * @param jobId the job
     * @return the job as it is, then every event, each once and in order, until the last
     */
    public Watch<JobUpdate> watch(String jobId) {
        return watch(jobId, 0);
    }

    /**
     * Watches a job from a position.
     *
     * @param jobId the job
     * @param afterSequence the sequence of the last event that the caller has; 0 for none
     * @return the job as it is, then every event after the position, each once and in order, until the last
     */
    public Watch<JobUpdate> watch(String jobId, long afterSequence) {
        return watch(jobId, afterSequence, failure -> {});
    }

    /**
     * Watches a job from a position.
     *
     * @param jobId the job
     * @param afterSequence the sequence of the last event that the caller has; 0 for none
     * @param onRetry told when the stream was cut, before it is opened again
     * @return the job as it is, then every event after the position, each once and in order, until the last
     */
    public Watch<JobUpdate> watch(String jobId, long afterSequence, Consumer<? super PluginRunnerException> onRetry) {
        return new Watch<>(jobSource(jobId, afterSequence, onRetry));
    }

    /**
     * Watches a job without a thread of the caller's.
     *
     * @param jobId the job
     * @param afterSequence the sequence of the last event that the caller has; 0 for none
     * @param consumer takes the updates one after the other, on a thread of the watch
     * @return completes after the last event; cancelling it ends the watch, not the job
     */
    public CompletableFuture<Void> watchAsync(String jobId, long afterSequence, Consumer<? super JobUpdate> consumer) {
        return Waiting.inBackground(threads, () -> {
            try (Watch<JobUpdate> watch = watch(jobId, afterSequence)) {
                watch.forEach(consumer);
            }
            return null;
        });
    }

    /**
     * Watches all jobs that match a filter.
     *
     * @param filter which jobs; the default instance for all
     * @return the jobs that match, newest first, then each that changes and the ids of those that no longer match; without end
     */
    public Watch<JobsUpdate> watchJobs(JobFilter filter) {
        return watchJobs(filter, failure -> {});
    }

    /**
     * Watches all jobs that match a filter.
     *
     * @param filter which jobs; the default instance for all
     * @param onRetry told when the stream was cut, before it is opened again
     * @return the jobs that match, newest first, then each that changes and the ids of those that no longer match; without end
     */
    public Watch<JobsUpdate> watchJobs(JobFilter filter, Consumer<? super PluginRunnerException> onRetry) {
        return new Watch<>(new JobsSource(connection, filter, resumeOptions(onRetry)));
    }

    /**
     * Waits for a job to end.
     *
     * @param jobId the job
     * @return its result
     * @throws PluginRunnerException what ended the job otherwise
     */
    public Object result(String jobId) {
        Job job = get(jobId);
        if (job.hasError()) throw JobFailure.of(jobId, job.getError());
        if (job.hasResult()) return Json.fromValue(job.getResult());
        // The record of a large job leaves the result out; the last event has it.
        boolean ended = JobSource.isFinal(job.getState());
        try (Watch<JobEvent> events = events(jobId, ended ? job.getLastSequence() - 1 : job.getLastSequence())) {
            for (JobEvent event : events) {
                if (event.hasResult()) return Json.fromValue(event.getResult().getValue());
                if (event.hasError()) throw JobFailure.of(jobId, event.getError());
            }
        }
        throw Failure.cut("The watch ended before the job did.");
    }

    /**
     * Waits for a job to end, without a thread of the caller's.
     *
     * @param jobId the job
     * @return its result; cancelling the future ends the wait, not the job
     */
    public CompletableFuture<Object> resultAsync(String jobId) {
        return Waiting.inBackground(threads, () -> result(jobId));
    }

    /**
     * Asks for one job.
     *
     * @param jobId the job
     * @return the job as it is, its params and result included
     */
    public Job get(String jobId) {
        GetJobRequest request = GetJobRequest.newBuilder().setJobId(jobId).build();
        return NonFinite.restore(
                await(PluginRunnerGrpc.getGetJobMethod(), request).getJob());
    }

    /**
     * Lists jobs, in pages of the service's size.
     *
     * @param filter which jobs; the default instance for all
     * @return the jobs that match, newest first, a page at a time as they are asked for
     */
    public Stream<Job> list(JobFilter filter) {
        return list(filter, 0);
    }

    /**
     * Lists jobs.
     *
     * @param filter which jobs; the default instance for all
     * @param pageSize how many come at a time; 0 leaves it to the service
     * @return the jobs that match, newest first, a page at a time as they are asked for
     */
    public Stream<Job> list(JobFilter filter, int pageSize) {
        ListJobsRequest.Builder request =
                ListJobsRequest.newBuilder().setFilter(filter).setPageSize(pageSize);
        return Pages.stream(token -> {
            var page = await(
                    PluginRunnerGrpc.getListJobsMethod(),
                    request.setPageToken(token).build());
            List<Job> jobs = page.getJobsList().stream().map(NonFinite::restore).toList();
            return new Pages.Page<>(jobs, page.getNextPageToken());
        });
    }

    /**
     * Tells a job to stop. One that has ended stays as it is.
     *
     * @param jobId the job
     * @return the job as it is then
     */
    public Job cancel(String jobId) {
        CancelJobRequest request = CancelJobRequest.newBuilder().setJobId(jobId).build();
        return NonFinite.restore(
                await(PluginRunnerGrpc.getCancelJobMethod(), request).getJob());
    }

    /**
     * Deletes the record, the events and the files of a job that has ended.
     *
     * @param jobId the job
     */
    public void delete(String jobId) {
        DeleteJobRequest request = DeleteJobRequest.newBuilder().setJobId(jobId).build();
        AtomicInteger tries = new AtomicInteger();
        try {
            Waiting.await(Retries.retrying(() -> {
                tries.incrementAndGet();
                return connection.unary(PluginRunnerGrpc.getDeleteJobMethod(), request, null);
            }));
        } catch (PluginRunnerException failure) {
            // An earlier try may have done it, and its answer was lost.
            if (!failure.reason().equals(Reason.JOB_NOT_FOUND) || tries.get() == 1) throw failure;
        }
    }

    /**
     * Lists the plugins under the plugin roots.
     *
     * @return the plugins, sorted by code, a page at a time as they are asked for
     */
    public Stream<Plugin> plugins() {
        return Pages.stream(token -> {
            ListPluginsRequest request =
                    ListPluginsRequest.newBuilder().setPageToken(token).build();
            var page = await(PluginRunnerGrpc.getListPluginsMethod(), request);
            return new Pages.Page<>(page.getPluginsList(), page.getNextPageToken());
        });
    }

    /**
     * Asks for one plugin.
     *
     * @param plugin its code, or a path on the server
     * @return the plugin with all its actions and their schemas
     */
    public Plugin plugin(String plugin) {
        GetPluginRequest request =
                GetPluginRequest.newBuilder().setPlugin(plugin).build();
        return await(PluginRunnerGrpc.getGetPluginMethod(), request).getPlugin();
    }

    /**
     * Validates params as a run would.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @param params a map or a record
     * @return the verdict; violations are no failure here
     */
    public Validation validate(String plugin, String action, Object params) {
        return validate(plugin, action, params, DEFAULTS);
    }

    /**
     * Validates params as a run would.
     *
     * @param plugin its code, or a path on the server
     * @param action its name
     * @param params a map or a record
     * @param options how it would be run: of them, the entry point and the environment count
     * @return the verdict; violations are no failure here
     */
    public Validation validate(String plugin, String action, Object params, ActionOptions options) {
        ValidateParamsResponse verdict =
                await(PluginRunnerGrpc.getValidateParamsMethod(), Requests.validate(plugin, action, params, options));
        return new Validation(
                verdict.getValid(),
                JobFailure.violations(verdict.getViolationsList()),
                Json.fromStruct(NonFinite.restore(verdict.getParams(), verdict.getNonFiniteList())),
                JobFailure.violations(verdict.getWarningsList()));
    }

    /**
     * Asks what the server is and what it offers.
     *
     * @return version, engine, modes and limits
     */
    public GetServerInfoResponse serverInfo() {
        return await(PluginRunnerGrpc.getGetServerInfoMethod(), GetServerInfoRequest.getDefaultInstance());
    }

    /** Ends the connection; calls under way fail. */
    @Override
    public void close() {
        connection.close();
        threads.shutdownNow();
    }

    Watch<JobEvent> events(String jobId, long afterSequence) {
        return new Watch<>(new EventSource(jobSource(jobId, afterSequence, failure -> {})));
    }

    private JobSource jobSource(String jobId, long afterSequence, Consumer<? super PluginRunnerException> onRetry) {
        return new JobSource(connection, jobId, afterSequence, resumeOptions(onRetry));
    }

    private ResumeOptions resumeOptions(Consumer<? super PluginRunnerException> onRetry) {
        return new ResumeOptions(heartbeatTimeout, retryFor, onRetry);
    }

    private <Q, P> P await(MethodDescriptor<Q, P> method, Q request) {
        return Waiting.await(call(method, request, null));
    }

    private <Q, P> CompletableFuture<P> call(MethodDescriptor<Q, P> method, Q request, Duration limit) {
        return Retries.retrying(() -> connection.unary(method, request, limit));
    }
}
