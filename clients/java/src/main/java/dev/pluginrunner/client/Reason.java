package dev.pluginrunner.client;

/** Every reason that {@link PluginRunnerException#reason} may say. A service that is newer than this client may have others. */
public final class Reason {
    /** There is no such plugin. */
    public static final String PLUGIN_NOT_FOUND = "PLUGIN_NOT_FOUND";

    /** The plugin has no such action. */
    public static final String ACTION_NOT_FOUND = "ACTION_NOT_FOUND";

    /** The params do not satisfy the action's schema. */
    public static final String PARAMS_INVALID = "PARAMS_INVALID";

    /** The request, or a setting of the client, is invalid. */
    public static final String REQUEST_INVALID = "REQUEST_INVALID";

    /** The plugin cannot be loaded. */
    public static final String PLUGIN_INVALID = "PLUGIN_INVALID";

    /** The plugin has changed since the job was submitted. */
    public static final String PLUGIN_CHANGED = "PLUGIN_CHANGED";

    /** The action raised an exception. */
    public static final String ACTION_FAILED = "ACTION_FAILED";

    /** The process that ran the action ended without a word. */
    public static final String WORKER_LOST = "WORKER_LOST";

    /** The action's return value cannot be carried. */
    public static final String RESULT_INVALID = "RESULT_INVALID";

    /** The reference leads out of the plugin roots. */
    public static final String PATH_FORBIDDEN = "PATH_FORBIDDEN";

    /** The module may not be run. */
    public static final String MODULE_FORBIDDEN = "MODULE_FORBIDDEN";

    /** The service has as much to do as it takes on. */
    public static final String OVERLOADED = "OVERLOADED";

    /** What carries the run is not there. Nothing has started. */
    public static final String ENGINE_UNAVAILABLE = "ENGINE_UNAVAILABLE";

    /** The service's disk takes no new work. Nothing has started. */
    public static final String STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE";

    /** There is no such run. */
    public static final String RUN_NOT_FOUND = "RUN_NOT_FOUND";

    /** There is no such job. */
    public static final String JOB_NOT_FOUND = "JOB_NOT_FOUND";

    /** Another job has this id. */
    public static final String JOB_ID_CONFLICT = "JOB_ID_CONFLICT";

    /** The job has not ended. */
    public static final String JOB_NOT_FINISHED = "JOB_NOT_FINISHED";

    /** The events are no longer kept. */
    public static final String EVENTS_EXPIRED = "EVENTS_EXPIRED";

    /** The service's data has lost something of the job. */
    public static final String DATA_LOSS = "DATA_LOSS";

    /** The token is missing or wrong. */
    public static final String UNAUTHENTICATED = "UNAUTHENTICATED";

    /** The caller may not do that. */
    public static final String FORBIDDEN = "FORBIDDEN";

    /** The time was up. */
    public static final String DEADLINE = "DEADLINE";

    /** The run or the job was cancelled. */
    public static final String CANCELLED = "CANCELLED";

    /** The service or this client has a fault. */
    public static final String INTERNAL = "INTERNAL";

    /** No service answered. */
    public static final String UNAVAILABLE = "UNAVAILABLE";

    private Reason() {}
}
