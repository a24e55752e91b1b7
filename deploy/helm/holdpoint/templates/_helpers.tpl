{{- define "holdpoint.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}
{{- define "holdpoint.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{ include "holdpoint.selector" . }}
{{- end }}
{{- define "holdpoint.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "holdpoint.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "holdpoint.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}
{{- define "holdpoint.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}
{{- define "holdpoint.build" -}}
{{- include "holdpoint.image" . | sha256sum | trunc 8 }}
{{- end }}
{{- define "holdpoint.settings" -}}
{{- $own := dict "data" "/data" "opa_token_file" "/run/secrets/opa/token" -}}
{{- if .Values.secrets.ledgerPassword }}{{ $_ := set $own "ledger_password_file" "/run/secrets/ledger/password" }}{{ end -}}
{{- if .Values.secrets.payloadKeys }}{{ $_ := set $own "payload_keys" "/run/secrets/payload-keys" }}{{ end -}}
{{- $_ := set $own "drain" (printf "%ds" (int .Values.drainSeconds)) -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.settings)) }}
{{- end }}
{{- define "holdpoint.migratePassword" -}}
{{- if .Values.migrate.ledgerUrl }}{{ .Values.secrets.migratePassword }}{{ else }}{{ .Values.secrets.ledgerPassword }}{{ end }}
{{- end }}
{{- define "holdpoint.migrateSettings" -}}
{{- $own := dict "ledger_url" (.Values.migrate.ledgerUrl | default .Values.settings.ledger_url) "clusters" dict -}}
{{- if include "holdpoint.migratePassword" . }}{{ $_ := set $own "ledger_password_file" "/run/secrets/ledger/password" }}{{ end -}}
{{- toYaml (merge $own (pick .Values.settings "temporal_address" "opa_url") (dict "opa_token_file" "/run/secrets/opa/token")) }}
{{- end }}
{{- /* The role of API and workers, where the tables are another one's. */ -}}
{{- define "holdpoint.grantTo" -}}
{{- $role := (urlParse .Values.settings.ledger_url).userinfo -}}
{{- with .Values.migrate.ledgerUrl }}{{ if ne $role (urlParse .).userinfo }}{{ $role }}{{ end }}{{ end }}
{{- end }}
{{- /* Told to stop, a process drains, has 8 s more to close what it opened, and then ends itself. */ -}}
{{- define "holdpoint.grace" -}}
{{- add .preStop .drain 10 }}
{{- end }}
{{- define "holdpoint.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- define "holdpoint.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
{{- define "holdpoint.mounts" -}}
- {name: settings, mountPath: /etc/holdpoint/settings.yaml, subPath: settings.yaml, readOnly: true}
- {name: data, mountPath: /data}
- {name: keys, mountPath: /data/keys, readOnly: true}
- {name: tmp, mountPath: /tmp}
- {name: opa-token, mountPath: /run/secrets/opa, readOnly: true}
{{- if .Values.secrets.ledgerPassword }}
- {name: ledger-password, mountPath: /run/secrets/ledger, readOnly: true}
{{- end }}
{{- if .Values.secrets.payloadKeys }}
- {name: payload-keys, mountPath: /run/secrets/payload-keys, readOnly: true}
{{- end }}
{{- if .Values.secrets.clusters }}
- {name: clusters, mountPath: /etc/holdpoint/clusters, readOnly: true}
{{- end }}
{{- if .Values.catalog }}
- {name: catalog, mountPath: /data/catalog.yaml, subPath: catalog.yaml, readOnly: true}
{{- end }}
{{- end }}
{{- define "holdpoint.volumes" -}}
- name: settings
  configMap: {name: {{ include "holdpoint.name" . }}}
- name: data
  {{- if .Values.data.existingClaim }}
  persistentVolumeClaim: {claimName: {{ .Values.data.existingClaim }}}
  {{- else }}
  emptyDir: {}
  {{- end }}
- name: keys
  secret: {secretName: {{ required "secrets.keys: name the secret with blob.key, ledger.key and ledger.pub" .Values.secrets.keys }}, defaultMode: 0440}
- name: tmp
  emptyDir: {}
- name: opa-token
  secret: {secretName: {{ required "secrets.opaToken: name the secret with `token`" .Values.secrets.opaToken }}, defaultMode: 0440}
{{- if .Values.secrets.ledgerPassword }}
- name: ledger-password
  secret: {secretName: {{ .Values.secrets.ledgerPassword }}, defaultMode: 0440}
{{- end }}
{{- if .Values.secrets.payloadKeys }}
- name: payload-keys
  secret: {secretName: {{ .Values.secrets.payloadKeys }}, defaultMode: 0440}
{{- end }}
{{- if .Values.secrets.clusters }}
- name: clusters
  secret: {secretName: {{ .Values.secrets.clusters }}, defaultMode: 0440}
{{- end }}
{{- if .Values.catalog }}
- name: catalog
  configMap: {name: {{ .Values.catalog }}}
{{- end }}
{{- end }}
{{- define "holdpoint.pod" -}}
serviceAccountName: {{ include "holdpoint.serviceAccount" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
securityContext: {{- include "holdpoint.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
volumes: {{- include "holdpoint.volumes" . | nindent 2 }}
{{- end }}
