//go:build tools

// Package tools pins the Open Policy Agent server that the embedded stack builds for itself.
package tools

import _ "github.com/open-policy-agent/opa"
