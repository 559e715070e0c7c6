{{- define "colloquy.name" -}}
{{- default .Release.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "colloquy.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "colloquy.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* The task queue of a short name. */}}
{{- define "colloquy.queue" -}}
{{- if eq . "control" -}}colloquy{{- else -}}colloquy-{{ . }}{{- end -}}
{{- end -}}

{{/* One Deployment: of a kind of worker and, with versions, of a version. Takes a dict of root, kind, worker and version (or nil). */}}
{{- define "colloquy.worker" -}}
{{- include "colloquy.name" .root }}-{{ .kind }}{{ with .version }}-{{ .buildId | lower | replace "_" "-" | replace "." "-" }}{{ end -}}
{{- end -}}

{{- define "colloquy.selector" -}}
app.kubernetes.io/name: colloquy
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .kind }}
{{- with .version }}
colloquy/build-id: {{ .buildId | quote }}
{{- end }}
{{- end -}}

{{- define "colloquy.labels" -}}
{{ include "colloquy.selector" . }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{- define "colloquy.env" -}}
{{- $values := .root.Values -}}
- { name: TEMPORAL_ADDRESS, value: {{ $values.temporal.address | quote }} }
- { name: TEMPORAL_NAMESPACE, value: {{ $values.temporal.namespace | quote }} }
{{- with $values.temporal.apiKey }}{{ if .secret }}
- name: TEMPORAL_API_KEY
  valueFrom: { secretKeyRef: { name: {{ .secret }}, key: {{ .key }} } }
{{- end }}{{ end }}
{{- with $values.temporal.tls }}{{ if .enabled }}
- { name: TEMPORAL_TLS, value: 'true' }
{{- with .serverName }}
- { name: TEMPORAL_TLS_SERVER_NAME, value: {{ . | quote }} }
{{- end }}
{{- if .secret }}
- { name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /etc/colloquy/tls/tls.crt }
- { name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /etc/colloquy/tls/tls.key }
{{- end }}
{{- end }}{{ end }}
{{- if $values.temporal.searchAttributes }}
- { name: COLLOQUY_SEARCH_ATTRIBUTES, value: '1' }
{{- end }}
{{- if .version }}
- { name: COLLOQUY_DEPLOYMENT, value: {{ $values.deploymentName | quote }} }
- { name: COLLOQUY_BUILD_ID, value: {{ .version.buildId | quote }} }
{{- end }}
{{- if $values.store.uri }}
- { name: COLLOQUY_STORE, value: {{ $values.store.uri | quote }} }
- { name: COLLOQUY_LOCAL, value: /data/local }
{{- with $values.store.endpoint }}
- { name: AWS_ENDPOINT_URL_S3, value: {{ . | quote }} }
{{- end }}
{{- with $values.store.region }}
- { name: AWS_REGION, value: {{ . | quote }} }
{{- end }}
{{- else }}
- { name: COLLOQUY_STORE, value: /data/runs }
{{- end }}
{{- if $values.endpoints }}
- { name: COLLOQUY_ENDPOINTS, value: /etc/colloquy/configs/endpoints.yaml }
{{- end }}
{{- if $values.trainers }}
- { name: COLLOQUY_TRAINERS, value: /etc/colloquy/configs/trainers.yaml }
{{- end }}
- { name: COLLOQUY_LOG_LEVEL, value: {{ $values.logLevel }} }
{{- if $values.metrics.enabled }}
- { name: COLLOQUY_METRICS_ADDRESS, value: '0.0.0.0:{{ $values.metrics.port }}' }
{{- end }}
{{- with $values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}
