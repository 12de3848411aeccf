package rollout

// Failures is tested by itself, although only a wait uses it.
var Failures = failuresOf
