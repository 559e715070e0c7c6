#!/bin/sh
# Registers the namespace and Colloquy's search attributes. May be run again: what is registered already stays.
set -eu

until temporal operator cluster health; do sleep 2; done
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d

known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE")
for each in State:Keyword Phase:Keyword Iteration:Int Method:Keyword Model:Keyword Series:Keyword Accuracy:Double; do
  name=Colloquy${each%:*} type=${each#*:}
  case $known in
  *"$name"*) ;;
  *) temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type "$type" ;;
  esac
done
