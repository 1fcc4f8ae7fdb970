package pluginrunner

// Reason is the stable word for what went wrong: docs/errors.md says what each means. Reasons are added, never renamed.
type Reason string

// The reasons that the service gives, and, the last, that of this client alone: no service answered.
const (
	ReasonPluginNotFound     Reason = "PLUGIN_NOT_FOUND"
	ReasonActionNotFound     Reason = "ACTION_NOT_FOUND"
	ReasonParamsInvalid      Reason = "PARAMS_INVALID"
	ReasonRequestInvalid     Reason = "REQUEST_INVALID"
	ReasonPluginInvalid      Reason = "PLUGIN_INVALID"
	ReasonPluginChanged      Reason = "PLUGIN_CHANGED"
	ReasonActionFailed       Reason = "ACTION_FAILED"
	ReasonWorkerLost         Reason = "WORKER_LOST"
	ReasonResultInvalid      Reason = "RESULT_INVALID"
	ReasonPathForbidden      Reason = "PATH_FORBIDDEN"
	ReasonModuleForbidden    Reason = "MODULE_FORBIDDEN"
	ReasonOverloaded         Reason = "OVERLOADED"
	ReasonEngineUnavailable  Reason = "ENGINE_UNAVAILABLE"
	ReasonStorageUnavailable Reason = "STORAGE_UNAVAILABLE"
	ReasonRunNotFound        Reason = "RUN_NOT_FOUND"
	ReasonJobNotFound        Reason = "JOB_NOT_FOUND"
	ReasonJobIDConflict      Reason = "JOB_ID_CONFLICT"
	ReasonJobNotFinished     Reason = "JOB_NOT_FINISHED"
	ReasonEventsExpired      Reason = "EVENTS_EXPIRED"
	ReasonDataLoss           Reason = "DATA_LOSS"
	ReasonUnauthenticated    Reason = "UNAUTHENTICATED"
	ReasonForbidden          Reason = "FORBIDDEN"
	ReasonDeadline           Reason = "DEADLINE"
	ReasonCancelled          Reason = "CANCELLED"
	ReasonInternal           Reason = "INTERNAL"
	ReasonUnavailable        Reason = "UNAVAILABLE"
)
