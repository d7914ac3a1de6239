//go:build tools

// Package cluster names the programs that are built from other modules as they are.
package cluster

import (
	_ "github.com/traefik/traefik/v3/cmd/traefik"
	_ "helm.sh/helm/v3/cmd/helm"
)
