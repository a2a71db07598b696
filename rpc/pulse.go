package rpc

// pulse is a placeholder that the next file replaces.
type pulse struct{}
